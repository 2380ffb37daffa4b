"""What a case is made of: the table of axes.

Command line, specs, ids, columns of the frame, the words for people and the command of a case follow from it.
A new axis is a row of `AXES`, its place in `IDS`, and a field of `Problem` or of a case. Nothing heavy is
imported: the command line reads this before it knows what it is asked for.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

Workload = Literal["attention", "model"]
Dtype = Literal["float32", "float16", "bfloat16", "float64"]
Border = Literal["mask", "zero"]
Position = Literal["none", "sum", "split"]
Offset = Literal["exact", "compact"]
Layout = Literal["bhyxd", "channels_last", "nchw"]
ImageLayout = Literal["nchw", "channels_last"]
Mode = Literal["eager", "compiled"]
DeviceName = Literal["cpu", "cuda"]
Pass = Literal["forward", "forward_backward"]
Step = Literal["inference", "training"]

WORKLOADS: tuple[str, ...] = get_args(Workload)
Row = Mapping[Any, Any]  # a value of each column of a frame
Say = str | Callable[[Row], str]  # a format of a row's columns, or a function


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One of the lists whose combinations a grid of cases is.

    Attributes:
        name: of the option and of the key in a spec.
        help: a sentence for `--help`.
        kind: what a value is.
        workloads: which cases have it.
        fields: those of a case that it gives, which are columns of the frame; by default the one of its name.
        default: values of a grid that gives none; empty where they depend on the machine or on other axes.
        required: whether a grid must give some.
        least: the smallest number allowed.
        allowed: every word allowed, by workload where that matters; empty for any.
        size: whether a case that has more of it needs more of everything.
        say: how people read it, with the values of the fields in place; empty where it is not for them.
        said_by: the axis whose words say this one too.
        unsaid: whether a row's value goes without saying: one of these, or where a function says so.
    """

    name: str
    help: str
    kind: type
    workloads: tuple[str, ...] = WORKLOADS
    fields: tuple[str, ...] = ()
    default: tuple[Any, ...] = ()
    required: bool = False
    least: int = 1
    allowed: Mapping[str, tuple[str, ...]] | tuple[str, ...] = ()
    size: bool = False
    say: Say = ""
    said_by: str = ""
    unsaid: tuple[Any, ...] | Callable[[Row], bool] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", self.fields or (self.name,))

    @property
    def option(self) -> str:
        """The option of the command line."""
        return f"--{self.name.replace('_', '-')}"

    def allowed_in(self, workload: str) -> tuple[str, ...]:
        """Return every word that a grid of this workload may give; empty for any."""
        return self.allowed.get(workload, ()) if isinstance(self.allowed, Mapping) else self.allowed

    def default_in(self, workload: str) -> tuple[Any, ...]:
        """Return the values of a grid of this workload that gives none."""
        return self.allowed_in(workload)[:1] if isinstance(self.allowed, Mapping) else self.default

    def said(self, row: Row) -> str:
        """Return a row's value in words."""
        return self.say.format_map(row) if isinstance(self.say, str) else self.say(row)

    def goes_without_saying(self, row: Row) -> bool:
        """Return whether a row's value is so usual that it need not be said."""
        if callable(self.unsaid):
            return self.unsaid(row)
        return any(row[field] in self.unsaid for field in self.fields)


def _place(row: Row) -> str:
    """Threads matter on a CPU only."""
    threads = f", {row['threads']:.0f} thread{'s' * (row['threads'] != 1)}"
    return f"{row['device']}{threads if row['device'] == 'cpu' else ''}"


def _dims(row: Row) -> str:
    return f"dim {row['dim_qk']:.0f}" + ("" if row["dim_v"] == row["dim_qk"] else f"/{row['dim_v']:.0f}")


ATTENTION: tuple[str, ...] = ("attention",)
MODEL: tuple[str, ...] = ("model",)
# As they are said, and as a grid is gone through: the last changes fastest.
AXES = (
    Axis(
        name="model",
        help="Models, by the names of `halobench list`.",
        kind=str,
        required=True,
        workloads=MODEL,
        say="{model}",
    ),
    Axis(
        name="image_size",
        help="Side of the images, in pixels. Default: each model's own.",
        kind=int,
        workloads=MODEL,
        size=True,
        say="{image_size:.0f} px",
    ),
    Axis(
        name="resolution",
        help="Size of the map: 64, or 64x48.",
        kind=str,
        required=True,
        workloads=ATTENTION,
        fields=("height", "width"),
        size=True,
        say="{height:.0f}x{width:.0f}",
    ),
    Axis(
        name="block",
        help="Side of a block.",
        kind=int,
        workloads=ATTENTION,
        default=(8,),
        say="b{block:.0f} h{halo:.0f}",
    ),
    Axis(
        name="halo",
        help="Positions around a block that its queries see.",
        kind=int,
        workloads=ATTENTION,
        default=(3,),
        least=0,
        said_by="block",
    ),
    Axis(
        name="stride",
        help="Distance between queries; divides the block.",
        kind=int,
        workloads=ATTENTION,
        default=(1,),
        say="stride {stride:.0f}",
        unsaid=(1,),
    ),
    Axis(
        name="border",
        help="Weight of what lies outside the map: mask (none), zero (keys of zero).",
        kind=str,
        workloads=ATTENTION,
        default=("mask",),
        allowed=get_args(Border),
        say="{border}",
    ),
    Axis(name="batch", help="Batch size.", kind=int, default=(1,), size=True, say="batch {batch:.0f}"),
    Axis(
        name="heads",
        help="Heads.",
        kind=int,
        workloads=ATTENTION,
        default=(1,),
        size=True,
        say="{heads:.0f} heads",
    ),
    Axis(
        name="dim",
        help="Channels per head of queries and keys.",
        kind=int,
        workloads=ATTENTION,
        fields=("dim_qk",),
        default=(16,),
        size=True,
        say=_dims,
    ),
    Axis(
        name="dim_v",
        help="Channels per head of values. Default: as --dim.",
        kind=int,
        workloads=ATTENTION,
        size=True,
        said_by="dim",
    ),
    Axis(
        name="position",
        help="Relative positions: none, sum, split.",
        kind=str,
        workloads=ATTENTION,
        default=("none",),
        allowed=get_args(Position),
        say="position {position}",
        unsaid=("none",),
    ),
    Axis(
        name="offset",
        help="Offsets of relative positions: exact, compact.",
        kind=str,
        workloads=ATTENTION,
        default=("exact",),
        allowed=get_args(Offset),
        say="offset {offset}",
        unsaid=("exact",),
    ),
    Axis(
        name="scale",
        help="Factor of q.k. Default: dim ** -0.5.",
        kind=float,
        workloads=ATTENTION,
        say="scale {scale:g}",
        unsaid=lambda row: bool(row["scale"] == row["dim_qk"] ** -0.5),
    ),
    Axis(
        name="position_scale",
        help="Factor of the relative logits.",
        kind=float,
        workloads=ATTENTION,
        default=(1.0,),
        say="position scale {position_scale:g}",
        unsaid=(1,),
    ),
    Axis(
        name="mode",
        help="Models: eager, compiled.",
        kind=str,
        workloads=MODEL,
        default=("eager",),
        allowed=get_args(Mode),
        say="{mode}",
        unsaid=("eager",),
    ),
    Axis(
        name="layout",
        help="Memory layout: bhyxd (attention only), channels_last, nchw.",
        kind=str,
        allowed={"attention": get_args(Layout), "model": get_args(ImageLayout)},
        say="{layout}",
        unsaid=("bhyxd", "nchw"),
    ),
    Axis(
        name="dtype",
        help="float32, float16, bfloat16, float64.",
        kind=str,
        default=("float32",),
        allowed=get_args(Dtype),
        say="{dtype}",
    ),
    Axis(
        name="direction",
        help="Attention: forward, forward_backward; models: inference, training.",
        kind=str,
        allowed={"attention": get_args(Pass), "model": get_args(Step)},
        say=lambda row: str(row["direction"]).replace("_", " + "),
    ),
    Axis(
        name="device",
        help="cpu, cuda. Default: the fastest that this machine has.",
        kind=str,
        allowed=get_args(DeviceName),
        say=_place,
    ),
    Axis(
        name="threads", help="Threads, on a CPU. Default: as many as torch takes.", kind=int, said_by="device"
    ),
    Axis(
        name="allocator",
        help="State of the C allocator: steady, pooled, fresh.",
        kind=str,
        say="allocator {allocator}",
        unsaid=("steady",),
    ),
    Axis(
        name="implementation",
        help="Implementations of attention, or all; original: a published model unchanged.",
        kind=str,
        default=("all",),
    ),
)
BY_NAME = {axis.name: axis for axis in AXES}
SAID = {  # the fields that the words of an axis are about, by its name
    axis.name: tuple(
        field for other in AXES if axis.name in (other.name, other.said_by) for field in other.fields
    )
    for axis in AXES
    if axis.say
}
BY_FIELD = {field: axis for axis in AXES for field in axis.fields}
FIELDS = tuple(BY_FIELD)
NUMBERS = tuple(name for name, axis in BY_FIELD.items() if axis.kind is not str or axis.name == "resolution")
SIZES = tuple(name for name, axis in BY_FIELD.items() if axis.size)
# The id of a case, by workload. What stands in brackets is left out where it is at its default, and written
# where it is not; a letter before a number tells what it is of.
IDS = {
    "attention": "{implementation}/{direction}/{batch}x{heads}x{height}x{width}d{dim_qk}[v{dim_v}]"
    "/b{block}h{halo}[s{stride}]/{border}/{position}[-{offset}][/scale={scale}]"
    "[/position_scale={position_scale}][/{layout}]/{dtype}/{device}[{threads}][/{allocator}]",
    "model": "{model}[/{implementation}]/{direction}/{batch}x{image_size}px[/{mode}][/{layout}]/{dtype}"
    "/{device}[{threads}][/{allocator}]",
}
LETTERS = {"model": r"(?:timm/)?[^/]+", "device": "[a-z]+", "allocator": "[a-z]+"}


def of(workload: str) -> tuple[Axis, ...]:
    """Return the axes of a workload in their order."""
    return tuple(axis for axis in AXES if workload in axis.workloads)


OPTIONAL = re.compile(r"\[([^\[\]]*\{(\w+)\})\]")
FIELD = re.compile(r"\{(\w+)\}")


def write_id(workload: str, fields: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    """Return the id of a case; what may be left out is, where it has its usual value."""
    kept = OPTIONAL.sub(lambda found: "" if fields[found[2]] == usual[found[2]] else found[1], IDS[workload])
    return kept.format_map({name: _shortest(value) for name, value in fields.items()})


def read_id(text: str) -> tuple[str, dict[str, Any]] | None:
    """Return the workload and the fields that an id names, but for usual ones; None where it is no id."""
    for workload in WORKLOADS:
        if found := _pattern(workload).fullmatch(text):
            given = {name: value for name, value in found.groupdict().items() if value}
            return workload, {name: _value(name, value) for name, value in given.items()}
    return None


@cache
def _pattern(workload: str) -> re.Pattern[str]:
    """What may be missing is one of the words allowed, or the word behind it would be taken for it."""
    optional = {found[2] for found in OPTIONAL.finditer(IDS[workload])}

    def letters(name: str) -> str:
        if name in NUMBERS:
            return "[^/]+" if BY_FIELD[name].kind is float else r"\d+"
        allowed = BY_FIELD[name].allowed_in(workload) if name in optional else ()
        return "|".join(allowed) or LETTERS.get(name, r"\w+")

    template = OPTIONAL.sub(r"(?:\1)?", IDS[workload])
    return re.compile(FIELD.sub(lambda found: f"(?P<{found[1]}>{letters(found[1])})", template))


def _value(name: str, text: str) -> Any:
    kind = BY_FIELD[name].kind
    return kind(text) if kind is float or name not in NUMBERS else int(text)


def _shortest(value: Any) -> str:
    """Return the shortest text that is read back as this value."""
    if not isinstance(value, float):
        return str(value)
    return short if float(short := f"{value:g}") == value else repr(value)
