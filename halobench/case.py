"""What is measured: a case is one implementation or one network, and everything its time depends on.

The id of a case is text: `sweep --plan` prints it, every table shows it, and `parse` reads it back.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from halobench import axes
from halobench.attention.problem import PROBLEM_FIELDS, Problem
from halobench.errors import ImpossibleProblem, UsageError

ORIGINAL = "original"  # the implementation of a published model that is left as it is


@dataclass(frozen=True, kw_only=True)
class AttentionCase:
    """One implementation on one problem, as it is measured."""

    implementation: str
    direction: str  # forward, forward_backward
    problem: Problem
    layout: str = "bhyxd"
    device: str = "cpu"
    threads: int = 1
    allocator: str = "steady"  # the state of the process: `device/allocator.py`

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
        return _id(self, USUAL_ATTENTION | {"dim_v": self.problem.dim_qk})


@dataclass(frozen=True, kw_only=True)
class ModelCase:
    """One network on square images, as it is measured."""

    model: str
    implementation: str  # inside; `original` as it was published, empty where there is no halo attention
    direction: str  # inference, training
    image_size: int
    batch: int
    dtype: str = "float32"
    mode: str = "eager"  # or compiled: by torch.compile, the whole network
    layout: str = "nchw"
    device: str = "cpu"
    threads: int = 1
    allocator: str = "steady"  # the state of the process: `device/allocator.py`

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
        return _id(self, USUAL_MODEL | {"implementation": ""})


Case = AttentionCase | ModelCase


EXAMPLES = (
    "haloed_blocked/forward/2x4x64x64d16/b8h3/mask/split/float32/cpu2",
    "timm/halonet26t/original/inference/1x256px/float32/cpu2",
)


def parse(text: str) -> Case:
    """The case of this id.

    Raises:
        UsageError: it is no id, or what it names cannot be asked for.
    """
    read = axes.read_id(text)
    if read is None:
        raise UsageError(f"{text!r} is not the id of a case, such as {' or '.join(EXAMPLES)}")
    workload, fields = read
    if workload == "model":
        return ModelCase(**{"implementation": ""} | fields)
    return case_of({"dim_v": fields["dim_qk"]} | fields)


def case_of(fields: Mapping[str, Any]) -> Case:
    """Return the case with these fields, those of its problem among them.

    Raises:
        ImpossibleProblem: there is no such problem.
    """
    if "model" in fields:
        return ModelCase(**fields)
    problem = Problem(**{name: fields[name] for name in PROBLEM_FIELDS if name in fields})
    own = {name: value for name, value in fields.items() if name not in PROBLEM_FIELDS}
    return AttentionCase(problem=problem, **own)


def _id(case: Case, usual: Mapping[str, Any]) -> str:
    """Write an id; the threads of a GPU's host are no part of it."""
    return axes.write_id(
        case.workload, case.fields, {**usual, "threads": None if case.device == "cpu" else 1}
    )


def _defaults(*kinds: type) -> dict[str, Any]:
    return {field.name: field.default for kind in kinds for field in dataclasses.fields(kind)}


USUAL_ATTENTION = _defaults(Problem, AttentionCase)
USUAL_MODEL = _defaults(ModelCase)
