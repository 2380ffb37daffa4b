"""What it takes to measure a case; `attention_workload.py` and `model_workload.py` are the two ways to do it.

They are imported when a case of theirs comes: models need timm, which takes seconds to import and which
attention alone must not wait for.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import torch

from halobench.attention import autotune as tuner
from halobench.device.clock import Call
from halobench.device.device import Device
from halobench.files import replaced
from halobench.measure.stopping import StoppingCriterion
from halobench.results.record import Work

T = TypeVar("T")
OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "bad_alloc")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run does the same for every case."""

    seed: int = 0
    stop: StoppingCriterion = field(default_factory=StoppingCriterion)
    autotune: str = "try"  # of `autotune.AUTOTUNE`
    truths: Path | None = None  # a folder where cases of one problem share what they are compared with
    compiled: Path | None = None  # a folder where cases share what torch.compile made


@dataclass(frozen=True)
class Judged:
    """How far results are off, where that is known, and what is wrong with them, if anything is."""

    error: float | None = None
    wrong: str = ""


@dataclass(frozen=True)
class PreparedCase:
    """A case that was set up; nothing of that is timed.

    Its inputs stay where they are in memory. There are `sets` of values for them, each with what it must come
    to: a call that gives what it gave before, or nothing of worth, is found out at the next set.
    """

    call: Call  # what is timed; it returns its results
    first: Callable[[], tuple[float, Judged]]  # seconds of the first call, on set 0, and its judgement
    write: Callable[[int], None]  # a set into the inputs
    judge: Callable[
        [int, Any], Judged
    ]  # results of a call on a set, and whether the inputs are still the set
    sets: int = 1
    adapt: Call | None = None  # the part of the call that is our wrapper's, not the implementation's


class Workload(Protocol):
    """One of the two modules."""

    __name__: str

    def unsupported(self, case: Any) -> str | None:
        """Why the case cannot run, or None."""

    def work(self, case: Any) -> Work:
        """What the case asks for and what is computed."""

    def prepare(self, case: Any, settings: Settings, device: Device) -> PreparedCase: ...

    def foresee(self, case: Any, settings: Settings) -> None:
        """Compute what cases of this problem share, so that none of them does."""


def shared(settings: Settings, name: str, make: Callable[[], T]) -> T:
    """What cases of this name have in common, from the settings' folder if another case made it already.

    The file is whole or not there, whenever a process is killed.
    """
    if settings.truths is None:
        return make()
    path = settings.truths / f"{hashlib.sha256(name.encode()).hexdigest()}.pt"
    if not path.exists():
        made = make()
        with replaced(path) as aside:
            torch.save(made, aside)
    return cast(T, torch.load(path, weights_only=False))  # our own file, of this very run


def first_call(call: Call, device: Device) -> float:
    """Return the seconds that a call takes, less those of trials of configurations in it."""
    before = tuner.spent()
    return device.timed(call) - (tuner.spent() - before)


def short_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY)
