"""What a run says in one table and one sentence."""

from itertools import chain
from typing import Any

import pandas as pd

from halobench import units
from halobench.axes import SAID
from halobench.report.caveats import by_host
from halobench.report.words import said
from halobench.results.derived import BASELINE, problem_columns

Cell = tuple[str, bool]  # text, and whether it is the best of its row
Row = dict[str, Any]

WHERE = ("model", "image_size", "height", "block", "border", "batch", "dtype", "direction", "device")


def split(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the columns of a problem in which rows of one workload differ, and those that all share.

    Columns that are said together are on one side.
    """
    known = [list(columns) for columns in SAID.values() if frame[list(columns)].notna().all(axis=None)]
    differ = [columns for columns in known if len(frame[columns].drop_duplicates()) > 1]
    alike = [columns for columns in known if columns not in differ]
    return list(chain(*differ)), list(chain(*alike))


def table(frame: pd.DataFrame) -> tuple[str, list[str], list[list[Cell]]]:
    """What all rows share, header, and rows: a problem each, a column for every implementation's time.

    Implementations that were measured on most problems come first.
    """
    counts = frame.groupby("implementation", sort=False).size()
    names = list(counts.sort_values(ascending=False, kind="stable").index)
    differ, shared = split(frame)
    rows = []
    for _, alike in frame.groupby(_keys(frame), sort=False):
        by_name = {row["implementation"]: row for row in alike.to_dict("records")}
        cells = [_cell(by_name.get(implementation), alike["time_s"].min()) for implementation in names]
        rows.append([(said(alike.iloc[0].to_dict(), differ), False), *cells])
    header = ["problem", *(implementation or "as it is" for implementation in names)]
    return said(frame.iloc[0].to_dict(), shared, usual=False), header, rows


def sentence(frame: pd.DataFrame) -> str:
    """Which attention is fastest here, and by how much on the largest problem; else which inside models."""
    measured = frame[frame["time_s"].notna()]
    for workload in ("attention", "model"):
        rows = measured[measured["workload"] == workload]
        contested = rows[rows.groupby(_keys(rows))["time_s"].transform("size") > 1] if len(rows) else rows
        if not contested.empty:
            return _fastest(contested)
    if len(measured) == 1:
        only = measured.iloc[0].to_dict()
        return f"measured: {only['case']}, {units.seconds(only['time_s'])}"
    return (
        f"measured: {len(measured)} cases, no two on the same problem"
        if len(measured)
        else "nothing was measured"
    )


def _fastest(frame: pd.DataFrame) -> str:
    keys = _keys(frame)
    fastest = frame.loc[frame.groupby(keys)["time_s"].idxmin()]
    winner = fastest["implementation"].mode()[0]
    wins = fastest[fastest["implementation"] == winner].sort_index()
    passes = wins["direction"].isin(["forward_backward", "training"]).map({True: 3, False: 1})
    most = (wins["flop"].fillna(0) / passes).idxmax()  # the largest problem, the forward pass of it if it won
    best = wins.loc[most].to_dict()
    others = frame[(keys == keys[most]) & (frame["implementation"] != winner)]
    where = said(best, [column for column in WHERE if pd.notna(best[column])])
    against = _against(best["time_s"], others.set_index("implementation")["time_s"])
    return (
        f"fastest here: {winner or best['model']}, on {len(wins)} of {len(fastest)} problems; "
        f"{against or units.seconds(best['time_s'])} at {where}"
    )


def _against(time_s: float, others: pd.Series) -> str:
    """The baseline, and the best of the others."""
    if others.empty:
        return ""
    names = dict.fromkeys([known for known in (BASELINE, others.idxmin()) if known in others.index])
    return " and ".join(f"{units.ratio(others[known] / time_s)} over {known}" for known in names)


def _keys(frame: pd.DataFrame) -> pd.Series:
    """Text that is equal for rows which ask the same."""
    return frame[problem_columns(frame)].astype("string").fillna("").agg("|".join, axis=1)


def _cell(row: Row | None, fastest: float) -> Cell:
    if row is None:
        return units.NOTHING, False
    if row["status"] != "ok":
        return str(row["status"]), False
    return _time(row), row["time_s"] == fastest


def _time(row: Row) -> str:
    """Write the time on the device, and on the host where a caller waits for that."""
    time = units.seconds(row["time_s"])
    return f"{time} (host {units.seconds(row['host_s'])})" if by_host(row) else time
