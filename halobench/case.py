"""What is measured: a case is one implementation or one network, and everything its time depends on.

The id of a case is text: `sweep --plan` prints it, every table shows it, and `parse` reads it back.
"""

import re
from dataclasses import dataclass
from typing import Any

from halobench.attention.problem import PROBLEM_FIELDS, Problem
from halobench.errors import ImpossibleProblem, UsageError

LAYOUTS = ("bhyxd", "channels_last", "nchw")
ORIGINAL = "original"  # the implementation of a published model that is left as it is
MODES = ("eager", "compiled")


@dataclass(frozen=True, kw_only=True)
class AttentionCase:
    """One implementation on one problem, as it is measured."""

    implementation: str
    direction: str  # forward, forward_backward
    problem: Problem
    layout: str = "bhyxd"
    device: str = "cpu"
    threads: int = 1
    allocator: str = "steady"  # the state of the process: `halobench.allocator`

    workload = "attention"

    def __post_init__(self) -> None:
        if self.device != "cpu":
            object.__setattr__(self, "threads", 1)  # they are those of the host, and no part of the id

    @property
    def dtype(self) -> str:
        """The dtype of the problem."""
        return self.problem.dtype

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the problem and of the case, side by side."""
        own = dict(vars(self))
        problem: dict[str, Any] = vars(own.pop("problem"))
        return problem | own

    @property
    def id(self) -> str:
        """Text that names the case, the same in every run; what is at its default is left out."""
        p = self.problem
        dims = f"d{p.dim_qk}" if p.dim_qk == p.dim_v else f"d{p.dim_qk}v{p.dim_v}"
        parts = [
            self.implementation,
            self.direction,
            f"{p.batch}x{p.heads}x{p.height}x{p.width}{dims}",
            f"b{p.block}h{p.halo}" + (f"s{p.stride}" if p.stride > 1 else ""),
            p.border,
            p.position + ("" if p.offset == "exact" else f"-{p.offset}"),
            "" if p.scale is None else f"scale={_shortest(p.scale)}",
            "" if p.position_scale == 1 else f"position_scale={_shortest(p.position_scale)}",
            "" if self.layout == "bhyxd" else self.layout,
            p.dtype,
            _where(self.device, self.threads),
            "" if self.allocator == "steady" else self.allocator,
        ]
        return "/".join(part for part in parts if part)


@dataclass(frozen=True, kw_only=True)
class ModelCase:
    """One network on square images, as it is measured."""

    model: str
    implementation: (
        str  # of the attention inside; `original` as it was published; empty without halo attention
    )
    direction: str  # inference, training
    image_size: int
    batch: int
    dtype: str = "float32"
    mode: str = "eager"  # or compiled: by torch.compile, the whole network
    layout: str = "nchw"
    device: str = "cpu"
    threads: int = 1
    allocator: str = "steady"  # the state of the process: `halobench.allocator`

    workload = "model"

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the case by name."""
        return dict(vars(self))

    def __post_init__(self) -> None:
        if self.device != "cpu":
            object.__setattr__(self, "threads", 1)
        for name in ("image_size", "batch"):
            if getattr(self, name) < 1:
                raise ImpossibleProblem(f"{name} must be 1 or more, not {getattr(self, name)}")

    @property
    def id(self) -> str:
        """Text that names the case, the same in every run; what is at its default is left out."""
        parts = [
            self.model,
            self.implementation,
            self.direction,
            f"{self.batch}x{self.image_size}px",
            "" if self.mode == "eager" else self.mode,
            "" if self.layout == "nchw" else self.layout,
            self.dtype,
            _where(self.device, self.threads),
            "" if self.allocator == "steady" else self.allocator,
        ]
        return "/".join(part for part in parts if part)


Case = AttentionCase | ModelCase


def _shortest(value: float) -> str:
    """The shortest text that is read back as this number."""
    return short if float(short := f"{value:g}") == value else repr(float(value))


def _where(device: str, threads: int) -> str:
    return f"{device}{threads}" if device == "cpu" else device


WHERE = r"/(?P<dtype>\w+)/(?P<device>[a-z]+)(?P<threads>\d*)(/(?P<allocator>[a-z]+))?"
ATTENTION = re.compile(
    r"(?P<implementation>\w+)/(?P<direction>forward|forward_backward)"
    r"/(?P<batch>\d+)x(?P<heads>\d+)x(?P<height>\d+)x(?P<width>\d+)d(?P<dim_qk>\d+)(v(?P<dim_v>\d+))?"
    r"/b(?P<block>\d+)h(?P<halo>\d+)(s(?P<stride>\d+))?/(?P<border>[a-z]+)/(?P<position>[a-z]+)(-(?P<offset>[a-z]+))?"
    r"(/scale=(?P<scale>[^/]+))?(/position_scale=(?P<position_scale>[^/]+))?"
    r"(/(?P<layout>channels_last|nchw))?" + WHERE
)
MODEL = re.compile(
    r"(?P<model>(timm/)?[^/]+)(/(?P<implementation>\w+))?/(?P<direction>inference|training)"
    r"/(?P<batch>\d+)x(?P<image_size>\d+)px(/(?P<mode>compiled))?(/(?P<layout>channels_last))?" + WHERE
)
REAL = ("scale", "position_scale")
WORDS = {"implementation", "model", "direction", "border", "position", "offset", "layout", "mode", "dtype"}
WORDS |= {"device", "allocator"}  # all others are whole numbers
EXAMPLES = (
    "haloed_blocked/forward/2x4x64x64d16/b8h3/mask/split/float32/cpu2",
    "timm/halonet26t/original/inference/1x256px/float32/cpu2",
)


def parse(text: str) -> Case:
    """The case of this id.

    Raises:
        UsageError: it is no id, or what it names cannot be asked for.
    """
    for pattern, made in ((ATTENTION, _attention), (MODEL, _model)):
        if found := pattern.fullmatch(text):
            return made({name: _value(name, value) for name, value in found.groupdict().items() if value})
    raise UsageError(f"{text!r} is not the id of a case, such as {' or '.join(EXAMPLES)}")


def _attention(fields: dict[str, Any]) -> Case:
    fields.setdefault("dim_v", fields["dim_qk"])
    problem = {name: fields.pop(name) for name in PROBLEM_FIELDS if name in fields}
    return AttentionCase(problem=Problem(**problem), **fields)


def _model(fields: dict[str, Any]) -> Case:
    return ModelCase(**{"implementation": ""} | fields)


def _value(name: str, value: str) -> Any:
    return float(value) if name in REAL else value if name in WORDS else int(value)
