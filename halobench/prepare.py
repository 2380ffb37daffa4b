"""What it takes to measure a case; `prepare_attention.py` and `prepare_model.py` are the two ways to do it.

They are imported by name when a case of theirs comes: models need timm, which takes seconds to
import and which attention alone must not wait for.
"""

import hashlib
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import torch

from halobench import clock, tuning
from halobench.check import Verdict
from halobench.clock import Call
from halobench.problem import Case
from halobench.record import Work
from halobench.stats import Stop

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run does the same for every case."""

    seed: int = 0
    stop: Stop = field(default_factory=Stop)
    autotune: str = "try"  # of `tuning.AUTOTUNE`
    truths: Path | None = None  # a folder where cases of one problem share what they are compared with


@dataclass(frozen=True)
class Ready:
    """A case that was set up; nothing of that is timed."""

    call: Call  # what is timed
    first: Callable[[], tuple[float, Verdict | None]]  # seconds of the first call, and whether it was right
    adapt: Call | None = None  # the part of the call that is our wrapper's, not the implementation's


class Workload(Protocol):
    """One of the two modules."""

    def unsupported(self, case: Any) -> str | None:
        """Why the case can not run, or None."""

    def work(self, case: Any) -> Work:
        """What the case asks for and what is computed."""

    def prepare(self, case: Any, settings: Settings) -> Ready: ...


def shared(settings: Settings, name: str, make: Callable[[], T]) -> T:
    """What cases of this name have in common, from the settings' folder if another case made it already.

    The file is whole or not there, whenever a process is killed.
    """
    if settings.truths is None:
        return make()
    path = settings.truths / f"{hashlib.sha256(name.encode()).hexdigest()}.pt"
    if not path.exists():
        torch.save(make(), path.with_suffix(".part"))
        os.replace(path.with_suffix(".part"), path)
    return cast(T, torch.load(path, weights_only=False))  # our own file, of this very run


def first_call(call: Call, device: str) -> float:
    """Seconds that a call takes, less those of trials of configurations in it."""
    before = tuning.spent()
    return clock.timed(call, device) - (tuning.spent() - before)


def workload(case: Case) -> Workload:
    """The module that knows cases of this kind."""
    return cast(Workload, importlib.import_module(f"halobench.prepare_{case.workload}"))
