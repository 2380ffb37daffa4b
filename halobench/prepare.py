"""What it takes to measure a case; `prepare_attention.py` and `prepare_model.py` are the two ways to do it.

They are imported by name when a case of theirs comes: models need timm, which takes seconds to
import and which attention alone must not wait for.
"""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import torch

from halobench.check import Verdict
from halobench.clock import Call
from halobench.problem import Case
from halobench.record import Work
from halobench.stats import Stop


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run does the same for every case."""

    seed: int = 0
    stop: Stop = field(default_factory=Stop)
    truths: Path | None = None  # a folder where cases of one problem share what they are compared with


@dataclass(frozen=True)
class Ready:
    """A case that was set up; nothing of that is timed."""

    call: Call  # what is timed
    first: Callable[[], tuple[float, Verdict | None]]  # seconds of the first call, and whether it was right


class Workload(Protocol):
    """One of the two modules."""

    def unsupported(self, case: Any) -> str | None:
        """Why the case can not run, or None."""

    def work(self, case: Any) -> Work:
        """What the case asks for and what is computed."""

    def prepare(self, case: Any, settings: Settings) -> Ready: ...


def save_whole(what: object, path: Path) -> None:
    """Whole or not at all, whenever this process is killed: other processes read it."""
    torch.save(what, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def workload(case: Case) -> Workload:
    """The module that knows cases of this kind."""
    return cast(Workload, importlib.import_module(f"halobench.prepare_{case.workload}"))
