"""Which rows a report compares, and in words what they have in common."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from halobench.metrics import problem_columns

Row = Mapping[Hashable, Any]  # of a frame: a value a column

MAP = ("height", "width")
BLOCK_HALO = ("block", "halo")
PANELS = ("direction", "border")  # each value has a panel of its own


def measured(frame: pd.DataFrame, workload: str) -> pd.DataFrame:
    return frame[(frame["workload"] == workload) & (frame["status"] == "ok")]


def sweep(rows: pd.DataFrame, varying: Sequence[str]) -> pd.DataFrame:
    """Rows that differ in `varying` and the panel only: of all such sets, the one with the most values.

    Panels with a single value say nothing of how it varies, and are left out where others have more.
    """
    if rows.empty:
        return rows
    fixed = [name for name in problem_columns(rows) if name not in (*varying, *PANELS)]
    groups = [group for _, group in rows.groupby(fixed, dropna=False, sort=False)]
    widest = max(groups, key=lambda group: (group.groupby(list(varying)).ngroups, len(group)))
    telling = widest.groupby(list(PANELS)).filter(lambda part: part.groupby(list(varying)).ngroups > 1)
    return widest if telling.empty else telling


def changing(rows: pd.DataFrame, known: Sequence[str]) -> list[str]:
    """Columns of the problem that differ among the rows, beyond those that are known to."""
    return [
        name for name in problem_columns(rows) if name not in known and rows[name].nunique(dropna=False) > 1
    ]


def in_common(rows: pd.DataFrame, varying: Sequence[str]) -> str:
    """What is held fixed in a sweep, but for what is at its default: `b8 h3, batch 2, 4 heads, dim 16`."""
    row = rows.iloc[0].to_dict()
    parts = [
        "" if "height" in varying else f"map {map_name(row)}",
        "" if "block" in varying else block_halo_name(row),
        "" if row["stride"] == 1 else f"stride {row['stride']:.0f}",
        f"batch {row['batch']:.0f}",
        f"{row['heads']:.0f} heads",
        f"dim {row['dim_qk']:.0f}" + ("" if row["dim_v"] == row["dim_qk"] else f"/{row['dim_v']:.0f}"),
        "" if row["position"] == "none" else f"position {row['position']}",
        "" if row["offset"] == "exact" else f"offset {row['offset']}",
        "" if row["scale"] == row["dim_qk"] ** -0.5 else f"scale {row['scale']:g}",
        "" if row["position_scale"] == 1 else f"position scale {row['position_scale']:g}",
        "" if row["layout"] == "bhyxd" else row["layout"],
        row["dtype"],
        place_name(row),
    ]
    return ", ".join(part for part in parts if part)


def map_names(rows: pd.DataFrame) -> list[str]:
    """Each once, small maps first."""
    sizes = rows.drop_duplicates(list(MAP)).assign(area=lambda row: row["height"] * row["width"])
    return [map_name(row) for row in sizes.sort_values(["area", *MAP]).to_dict("records")]


def block_halo_names(rows: pd.DataFrame) -> list[str]:
    """Each once, small windows first."""
    sizes = rows.drop_duplicates(list(BLOCK_HALO)).assign(window=lambda row: row["block"] + 2 * row["halo"])
    return [block_halo_name(row) for row in sizes.sort_values(["window", "block"]).to_dict("records")]


def map_name(row: Row) -> str:
    return f"{row['height']:.0f}x{row['width']:.0f}"


def block_halo_name(row: Row) -> str:
    return f"b{row['block']:.0f} h{row['halo']:.0f}"


def place_name(row: Row) -> str:
    """Where it ran: threads matter on a CPU only."""
    threads = f", {row['threads']:.0f} thread{'s' * (row['threads'] != 1)}"
    return f"{row['device']}{threads if row['device'] == 'cpu' else ''}"
