"""Which rows a report compares, and in words what they have in common."""

from collections.abc import Sequence

import pandas as pd

from halobench.report.words import BLOCK_HALO, MAP, block_halo_name, map_name, said
from halobench.results.derived import problem_columns

PANELS = ("direction", "border")  # each value has a panel of its own


def measured(frame: pd.DataFrame, workload: str) -> pd.DataFrame:
    return frame[(frame["workload"] == workload) & (frame["status"] == "ok")]


def alike(rows: pd.DataFrame, varying: Sequence[str]) -> pd.DataFrame:
    """Rows that differ in `varying` and the panel only: of all such sets, the one with the most values."""
    if rows.empty:
        return rows
    fixed = [name for name in problem_columns(rows) if name not in (*varying, *PANELS)]
    groups = [group for _, group in rows.groupby(fixed, dropna=False, sort=False)]
    return max(groups, key=lambda group: (group.groupby(list(varying)).ngroups, len(group)))


def sweep(rows: pd.DataFrame, varying: Sequence[str]) -> pd.DataFrame:
    """Such rows, without panels of a single value where others have more: they say nothing of a change."""
    widest = alike(rows, varying)
    if widest.empty:
        return widest
    telling = widest.groupby(list(PANELS)).filter(lambda part: part.groupby(list(varying)).ngroups > 1)
    return widest if telling.empty else telling


def changing(rows: pd.DataFrame, known: Sequence[str]) -> list[str]:
    """Columns of the problem that differ among the rows, beyond those that are known to."""
    return [
        name for name in problem_columns(rows) if name not in known and rows[name].nunique(dropna=False) > 1
    ]


def in_common(rows: pd.DataFrame, varying: Sequence[str]) -> str:
    """What is held fixed in a sweep, but for what is at its default: `b8 h3, batch 2, 4 heads, dim 16`."""
    return said(rows.iloc[0].to_dict(), set(asked(rows)) - {*varying, *PANELS}, usual=False)


def asked(rows: pd.DataFrame) -> list[str]:
    """Columns of the problem that apply to all of these rows."""
    return [name for name in problem_columns(rows) if rows[name].notna().all()]


def map_names(rows: pd.DataFrame) -> list[str]:
    """Each once, small maps first."""
    sizes = rows.drop_duplicates(list(MAP)).assign(area=lambda row: row["height"] * row["width"])
    return [map_name(row) for row in sizes.sort_values(["area", *MAP]).to_dict("records")]


def block_halo_names(rows: pd.DataFrame) -> list[str]:
    """Each once, small windows first."""
    sizes = rows.drop_duplicates(list(BLOCK_HALO)).assign(window=lambda row: row["block"] + 2 * row["halo"])
    return [block_halo_name(row) for row in sizes.sort_values(["window", "block"]).to_dict("records")]
