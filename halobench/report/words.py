"""Problems and cases in words, as tables and figures name them."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from halobench.device.allocator import DEFAULT

Row = Mapping[Hashable, Any]  # of a frame: a value a column
MAP = ("height", "width")
BLOCK_HALO = ("block", "halo")


def said(row: Row, columns: Collection[str], *, usual: bool = True) -> str:
    """What these columns ask for, in words; what is at its default is left out unless `usual`."""
    return name(row, [part for part in PARTS if not set(part.columns).isdisjoint(columns)], usual=usual)


def name(row: Row, parts: Iterable["Part"], *, usual: bool = True) -> str:
    """Say these parts of what a row asks for; what is at its default is left out unless `usual`."""
    return ", ".join(part.say(row) for part in parts if usual or not part.usual(row))


def map_name(row: Row) -> str:
    return f"{row['height']:.0f}x{row['width']:.0f}"


def block_halo_name(row: Row) -> str:
    return f"b{row['block']:.0f} h{row['halo']:.0f}"


def place_name(row: Row) -> str:
    """Name where a case ran: threads matter on a CPU only."""
    threads = f", {row['threads']:.0f} thread{'s' * (row['threads'] != 1)}"
    return f"{row['device']}{threads if row['device'] == 'cpu' else ''}"


def dims_name(row: Row) -> str:
    return f"dim {row['dim_qk']:.0f}" + ("" if row["dim_v"] == row["dim_qk"] else f"/{row['dim_v']:.0f}")


def direction_name(row: Row) -> str:
    return str(row["direction"]).replace("_", " + ")


@dataclass(frozen=True)
class Part:
    """A part of what a case asks for: its columns, how they are said, and when they are at their default."""

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
