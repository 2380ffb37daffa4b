"""The parts of a GPU campaign, in the order of what they tell: what each does, and how long it may take."""

import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from halobench import isolate
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.attention.problem_sets import PROBLEMS, SETS, STANDARD
from halobench.campaign import check_log, speed, summary
from halobench.campaign.check_log import Asked, CheckResult
from halobench.campaign.speed import BESIDE, OURS
from halobench.campaign.sweeps import Setup, counts, runs, sweep, sweep_seconds
from halobench.case import AttentionCase
from halobench.deadline import Deadline, OutOfTime
from halobench.device import ceilings, ptxas
from halobench.errors import UsageError
from halobench.isolate import ChildFailure
from halobench.measure.stopping import StoppingCriterion
from halobench.measure.workload import Settings
from halobench.report import output
from halobench.results.environment import environment
from halobench.sweep.command_line import repeating
from halobench.sweep.executors import process

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
CEILINGS_S, SPEED_S, CLOCK_S, PTXAS_S = 60.0, 90.0, 60.0, 60.0  # at most: a group, a problem, a child
TUNED = ["32x32 n8 d16 b8h3", "64x64 n8 d8 b8h3"]
MISCOMPILED = "32x32 n4 d32 b8h3"  # by ptxas 12.8: gradients of 32 channels
LAYOUT = "channels_last"  # as the presets have it
TUNING_S = 120.0  # at most, a problem
DTYPES = ("bfloat16", "float16", "float32")
PRELOAD = (
    "halobench.measure.attention_workload",
    "halobench.measure.model_workload",
    "halobench.campaign.check_log",
    "halobench.device.ceilings",
    "halobench.campaign.speed",
    "halobench.campaign.steps",  # each child imports the main module again: what that imports
    "typer",
)
SMALL_TITLES = ("one position", "no halo", "zero border")


@dataclass(frozen=True)
class Step:
    """`do` says in a line what came of it, or raises OutOfTime; it is begun with `least_s` seconds or more.

    After `most_s` it makes room for the parts behind it, and goes on if time is left after these.
    """

    about: str
    do: Callable[[Setup, Deadline], str]
    estimate: Callable[[Setup], float]
    least_s: float
    most_s: float = 1e9


def tests(setup: Setup, deadline: Deadline) -> str:
    """Warnings are no errors here: the packages of a borrowed machine are its own."""
    folder = ROOT / "tests"
    if importlib.util.find_spec("pytest") is None or not folder.is_dir():
        return "not run: it needs pytest and a checkout"
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-W", "default", "-p", "no:cacheprovider"]
    command += ["--continue-on-collection-errors", str(folder / "test_gpu.py" if setup.small else folder)]
    if importlib.util.find_spec("xdist") is not None:  # and one that spoils its process ends none but itself
        command += ["-n", str(_processes(setup))]
    path = setup.out / "tests.txt"
    with path.open("w", encoding="utf-8") as file:
        try:
            subprocess.run(
                command,
                cwd=ROOT,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=_timeout(deadline),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise OutOfTime from None
    return path.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2].strip("= ")


def check(setup: Setup, deadline: Deadline) -> str:
    """Ours on all problems that are chosen to hurt and all that are timed, in many processes at once."""
    titles = list(SMALL_TITLES) if setup.small else [*SETS["all"], *PROBLEMS]
    dtypes = ("float32",) if setup.small else DTYPES
    name = "haloed_blocked" if setup.small else OURS
    asked = [Asked(name, dtype, title) for title in titles for dtype in dtypes]
    return _told(setup, "check.jsonl", asked, deadline)


def check_peers(setup: Setup, deadline: Deadline) -> str:
    """All others likewise; those that compile last."""
    names = sorted(set(IMPLEMENTATIONS) - {OURS}, key=lambda name: IMPLEMENTATIONS[name].compile_s > 0)
    names = ["naive_global"] if setup.small else names
    titles = SMALL_TITLES if setup.small else tuple(PROBLEMS)
    dtypes = ("float32",) if setup.small else DTYPES
    asked = [Asked(name, dtype, title) for name in names for dtype in dtypes for title in titles]
    return _told(setup, "check_peers.jsonl", asked, deadline)


def _told(setup: Setup, name: str, asked: list[Asked], deadline: Deadline) -> str:
    file = setup.out / name
    whole = check_log.tell_all(dict.fromkeys(asked), setup.device, file, _processes(setup), deadline)
    told = counts(pd.Series([line.status for line in check_log.read(file)]))
    if not whole:
        raise OutOfTime(told)
    return told


def _isolated(call: Callable[[], T], limit_s: float, deadline: Deadline) -> T | ChildFailure:
    """Run a call in a child; OutOfTime where it was the deadline that ended it."""
    done = isolate.run_isolated(call, min(limit_s, deadline.left_s))
    if isinstance(done, ChildFailure) and done.status == "timeout" and deadline.over:
        raise OutOfTime
    return done


def _timeout(deadline: Deadline) -> float | None:
    return None if math.isinf(deadline.left_s) else deadline.left_s


def _processes(setup: Setup) -> int:
    return 2 if setup.small else max(1, min(12, (os.cpu_count() or 1) - 2))


def bundled_ptxas(setup: Setup, deadline: Deadline) -> str:
    """What the ptxas in Triton's wheel makes of the kernel that release 12.8 is known to miscompile."""
    if setup.device != "cuda":
        return "not run: it needs a GPU"
    asked = Asked(OURS, "bfloat16", MISCOMPILED)
    done = _isolated(partial(_with_bundled, asked, setup.device), PTXAS_S, deadline)
    line = (
        f"{done.status}: {done.reason}"
        if isinstance(done, ChildFailure)
        else f"{done.status} {done.reason}".strip()
    )
    told = f"ptxas {ptxas.release(ptxas.bundled()) or 'of no release'}, {MISCOMPILED}: {line}"
    (setup.out / "ptxas.txt").write_text(told + "\n", encoding="utf-8")
    return told


def _with_bundled(asked: Asked, device: str) -> CheckResult:
    with tempfile.TemporaryDirectory(prefix="halobench-") as cache:
        os.environ |= {ptxas.VARIABLE: ptxas.bundled(), "TRITON_CACHE_DIR": cache}
        return check_log.verdict(asked, device)


def compare_speed(setup: Setup, deadline: Deadline) -> str:
    """A problem after the other, each in a process of its own; what is there already is not done again."""
    file = setup.out / summary.SPEED
    known = {found["problem"] for found in speed.read(file)}
    problems = {"small": speed.small(STANDARD[TUNED[0]])} if setup.small else STANDARD
    told = []
    for title, problem in problems.items():
        if title not in known:
            call = partial(speed.measure, title, problem, BESIDE, setup.device, LAYOUT)
            done = _isolated(call, SPEED_S, deadline)
            if isinstance(done, ChildFailure):
                told.append(f"{title} {done.status}: {done.reason}")
            else:
                speed.add(done, file)
    return "; ".join([f"{len(speed.read(file))} problems", *told])


def clocks(setup: Setup, deadline: Deadline) -> str:
    """How a flush and the time since the last work change what a clock says."""
    if setup.device != "cuda":
        return "not run: a CPU has one clock"
    done = _isolated(partial(speed.clocks, STANDARD[TUNED[0]], LAYOUT), CLOCK_S, deadline)
    if isinstance(done, ChildFailure):
        raise RuntimeError(f"{done.status}: {done.reason}")
    (setup.out / summary.CLOCK).write_text(json.dumps(done), encoding="utf-8")
    return "; ".join(f"{name} {seconds * 1e6:.1f} us" for name, seconds in done["medians"].items())


def tune(setup: Setup, deadline: Deadline) -> str:
    """A problem's kernels in a process of its own; all trials are kept in `cache/tuned`."""
    told: list[str] = []
    right = 0
    for title in TUNED:
        problem = STANDARD[title]
        if reason := IMPLEMENTATIONS[OURS].unsupported(problem, setup.device, "forward_backward"):
            return f"nothing to tune: {OURS} {reason}"
        case = AttentionCase(
            implementation=OURS, direction="forward_backward", problem=problem, layout=LAYOUT,
            device=setup.device,
        )  # fmt: skip
        settings = Settings(stop=StoppingCriterion(seconds=0.01))
        found = process.measure(case, settings, min(TUNING_S, deadline.left_s))
        if found.status == "timeout" and deadline.over:
            raise OutOfTime("; ".join(told))
        told.append(f"{title}: {found.config or found.reason} ({found.status})")
        right += found.status == "ok"
    if not right:
        raise RuntimeError("; ".join(told))
    return "; ".join(told)


def measure_ceilings(setup: Setup, deadline: Deadline) -> str:
    """A group that fails leaves a reason."""
    found: dict[str, Any] = {"environment": environment([]), "ceilings": {}, "failed": {}}
    for name, measure in ceilings.GROUPS.items():
        done = _isolated(partial(measure, setup.device, setup.small), CEILINGS_S, deadline)
        if isinstance(done, ChildFailure):
            found["failed"][name] = f"{done.status}: {done.reason}"
        else:
            found["ceilings"] |= {key: {"value": value, "unit": unit} for key, (value, unit) in done.items()}
    (setup.out / "ceilings.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    return f"{len(found['ceilings'])} measured" + "".join(f"; no {name}" for name in found["failed"])


def reports(setup: Setup, deadline: Deadline) -> str:
    told: list[str] = []
    for name, folder in runs(setup.out).items():
        if deadline.over:
            raise OutOfTime("; ".join(told))
        try:
            output.write([folder], folder, repeating([folder]))
            told.append(f"a page of {name}")
        except UsageError as error:  # begun, and interrupted at once
            told.append(f"no page of {name}: {error}")
    return "; ".join(told) or "no sweep"


PARTS = {
    "check": Step(
        "ours in three dtypes on hard and standard problems", check, lambda setup: 60.0, 30.0, 150.0
    ),
    "ptxas": Step(
        "what the bundled ptxas makes of 32 channels", bundled_ptxas, lambda setup: 15.0, 15.0, 60.0
    ),
    "ceilings": Step("what the device can do at most", measure_ceilings, lambda setup: 25.0, 25.0, 60.0),
    "speed": Step(
        "the standard problems, ours and others in turn", compare_speed, lambda setup: 80.0, 20.0, 150.0
    ),
    "tests": Step("the tests that need a GPU", tests, lambda setup: 40.0, 30.0, 90.0),
    "clock": Step("flushes and the warm-up compared", clocks, lambda setup: 15.0, 15.0, 60.0),
    "tuning": Step("which configurations of our kernels are fastest", tune, lambda setup: 60.0, 30.0, 120.0),
    "attention": Step(
        "the preset gpu",
        partial(sweep, name="attention"),
        partial(sweep_seconds, name="attention"),
        30.0,
        180.0,
    ),
    "models": Step(
        "the preset gpu_models",
        partial(sweep, name="models"),
        partial(sweep_seconds, name="models"),
        60.0,
        180.0,
    ),
    "peers": Step("the others on hard problems", check_peers, lambda setup: 60.0, 30.0, 120.0),
    "report": Step("pages, tables and figures of what is there", reports, lambda setup: 30.0, 10.0),
}
