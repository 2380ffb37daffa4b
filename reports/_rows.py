"""Which rows a report compares, and in words what they have in common."""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from halobench.allocator import DEFAULT
from halobench.metrics import problem_columns

Row = Mapping[Hashable, Any]  # of a frame: a value a column

MAP = ("height", "width")
BLOCK_HALO = ("block", "halo")
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


def said(row: Row, columns: Collection[str], *, usual: bool = True) -> str:
    """What these columns ask for, in words; what is at its default is left out unless `usual`."""
    parts = [part for part in PARTS if not set(part.columns).isdisjoint(columns)]
    return ", ".join(part.say(row) for part in parts if usual or not part.usual(row))


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


def dims_name(row: Row) -> str:
    return f"dim {row['dim_qk']:.0f}" + ("" if row["dim_v"] == row["dim_qk"] else f"/{row['dim_v']:.0f}")


def direction_name(row: Row) -> str:
    return str(row["direction"]).replace("_", " + ")


@dataclass(frozen=True)
class Part:
    """Of what is asked: columns that are told together, how, and whether they are at their default."""

    columns: tuple[str, ...]
    say: Callable[[Row], str]
    usual: Callable[[Row], bool] = lambda row: False


PARTS = (
    Part(("model",), lambda row: str(row["model"])),
    Part(("image_size",), lambda row: f"{row['image_size']:.0f} px"),
    Part(MAP, map_name),
    Part(BLOCK_HALO, block_halo_name),
    Part(("stride",), lambda row: f"stride {row['stride']:.0f}", lambda row: bool(row["stride"] == 1)),
    Part(("border",), lambda row: str(row["border"])),
    Part(("batch",), lambda row: f"batch {row['batch']:.0f}"),
    Part(("heads",), lambda row: f"{row['heads']:.0f} heads"),
    Part(("dim_qk", "dim_v"), dims_name),
    Part(("position",), lambda row: f"position {row['position']}", lambda row: row["position"] == "none"),
    Part(("offset",), lambda row: f"offset {row['offset']}", lambda row: row["offset"] == "exact"),
    Part(
        ("scale",),
        lambda row: f"scale {row['scale']:g}",
        lambda row: bool(row["scale"] == row["dim_qk"] ** -0.5),
    ),
    Part(
        ("position_scale",),
        lambda row: f"position scale {row['position_scale']:g}",
        lambda row: bool(row["position_scale"] == 1),
    ),
    Part(("mode",), lambda row: str(row["mode"]), lambda row: row["mode"] == "eager"),
    Part(("layout",), lambda row: str(row["layout"]), lambda row: row["layout"] in ("bhyxd", "nchw")),
    Part(("dtype",), lambda row: str(row["dtype"])),
    Part(("direction",), direction_name),
    Part(("device", "threads"), place_name),
    Part(
        ("allocator",),
        lambda row: f"allocator {row['allocator']}",
        lambda row: row["allocator"] == DEFAULT,
    ),
)
TOLD = [name for part in PARTS for name in part.columns]
