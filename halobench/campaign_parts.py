"""The parts of a GPU campaign: what each does, and how long it may take."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from halobench import (
    attention,
    campaign_summary,
    ceilings,
    estimate,
    execute,
    plugins,
    report,
    verdicts,
    worker,
)
from halobench.attention import ATTENTIONS
from halobench.campaign_sweep import SWEEPS, Setup, counts, folders, sweep, sweep_seconds
from halobench.environment import environment
from halobench.hard import PROBLEMS
from halobench.prepare import Settings
from halobench.problem import AttentionCase
from halobench.standard import STANDARD
from halobench.stats import Stop
from halobench.verdicts import END, Line
from halobench.worker import Ended

ROOT = Path(__file__).parent.parent
TESTS_S, CHECK_S, CEILINGS_S = 400.0, 30.0, 60.0  # at most: all tests, an implementation in a dtype, a group
OURS = "triton_fused"
CHECKS_S = {OURS: 150.0}  # each problem compiles two kernels
TUNED = ["32x32 n8 d16 b8h3", "64x64 n8 d8 b8h3", "32x32 n4 d32 b8h3", "16x16 n8 d32 b8h3"]
LAYOUT = "channels_last"  # as the presets have it
TUNING_S = 120.0  # at most, a problem
DTYPES = ("bfloat16", "float32", "float16", "float64")
PRELOAD = (
    "halobench.prepare_attention",
    "halobench.prepare_model",
    "halobench.verdicts",
    "halobench.ceilings",
    "halobench.campaign_parts",  # each child imports the main module again: what that imports
    "typer",
)
SMALL_TITLES = ("one position", "no halo", "zero border")


@dataclass(frozen=True)
class Part:
    """`do` says in a line what came of it; it is not begun with less than `least_s` seconds left."""

    about: str
    do: Callable[[Setup], str]
    estimate: Callable[[Setup], float]
    least_s: float


def tests(setup: Setup) -> str:
    """Warnings are no errors here: the packages of a borrowed machine are its own."""
    folder = ROOT / "tests"
    if importlib.util.find_spec("pytest") is None or not folder.is_dir():
        return "not run: it needs pytest and a checkout"
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-W", "default", "-p", "no:cacheprovider"]
    command += ["--continue-on-collection-errors", str(folder / "test_gpu.py" if setup.small else folder)]
    path = setup.out / "tests.txt"
    with path.open("w", encoding="utf-8") as file:
        try:
            subprocess.run(
                command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, timeout=TESTS_S, check=False
            )
        except subprocess.TimeoutExpired:
            return f"stopped after {TESTS_S:g} s: {path}"
    return path.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2].strip("= ")


def check(setup: Setup) -> str:
    """Each implementation and dtype in a process of its own; what has its last line is not tried again."""
    file = setup.out / "check.jsonl"
    ended = {(line.implementation, line.dtype) for line in verdicts.read(file) if line.problem == END}
    for dtype, name in _checks(setup):
        if (name, dtype) not in ended:
            titles = SMALL_TITLES if setup.small else tuple(PROBLEMS)
            most = CHECKS_S.get(name, CHECK_S)
            done = worker.apart(partial(verdicts.tell, name, dtype, setup.device, titles, file), most)
            status, reason = (done.status, done.reason) if isinstance(done, Ended) else ("ok", "")
            verdicts.add(
                Line(implementation=name, dtype=dtype, problem=END, status=status, reason=reason), file
            )
    found = pd.Series([line.status for line in verdicts.read(file) if line.problem != END])
    return counts(found)


def tune(setup: Setup) -> str:
    """A problem's kernels in a process of its own; all trials are kept in `cache/tuned`."""
    plugins.load_all(attention.GROUP)
    told, right = [], 0
    for title in TUNED:
        problem = STANDARD[title]
        if reason := ATTENTIONS[OURS].unsupported(problem, setup.device, "forward_backward"):
            return f"nothing to tune: {OURS} {reason}"
        case = AttentionCase(
            implementation=OURS, direction="forward_backward", problem=problem, layout=LAYOUT,
            device=setup.device,
        )  # fmt: skip
        found = worker.measure(case, Settings(stop=Stop(seconds=0.01)), TUNING_S)
        told.append(f"{title}: {found.config or found.reason} ({found.status})")
        right += found.status == "ok"
    if not right:
        raise RuntimeError("; ".join(told))
    return "; ".join(told)


def measure_ceilings(setup: Setup) -> str:
    """A group that fails leaves a reason."""
    found: dict[str, Any] = {"environment": environment([]), "ceilings": {}, "failed": {}}
    for name, measure in ceilings.GROUPS.items():
        done = worker.apart(partial(measure, setup.device, setup.small), CEILINGS_S)
        if isinstance(done, Ended):
            found["failed"][name] = f"{done.status}: {done.reason}"
        else:
            found["ceilings"] |= {key: {"value": value, "unit": unit} for key, (value, unit) in done.items()}
    (setup.out / "ceilings.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    return f"{len(found['ceilings'])} measured" + "".join(f"; no {name}" for name in found["failed"])


def reports(setup: Setup) -> str:
    """The summary first: it needs least."""
    runs = {folder.name: folder for name in SWEEPS for folder in folders(setup.out, name)}
    campaign_summary.write(setup.out, runs)
    plugins.load_all(report.GROUP)
    told = []
    for name, folder in runs.items():
        try:
            execute.write([folder], folder)
            told.append(f"a page of {name}")
        except (ValueError, FileNotFoundError) as error:  # begun, and interrupted at once
            told.append(f"no page of {name}: {error}")
    return "; ".join(["summary.md", *told])


def _checks(setup: Setup) -> Iterator[tuple[str, str]]:
    """Dtypes and implementations, a dtype after the other."""
    plugins.load_all(attention.GROUP)
    names = ["haloed_blocked", "naive_global"] if setup.small else list(ATTENTIONS)
    for dtype in ["float32"] if setup.small else DTYPES:
        yield from ((dtype, name) for name in names)


def _check_estimate(setup: Setup) -> float:
    """A process and some tenths of a second for the oracle; what compiles is stopped."""
    return sum(
        CHECKS_S.get(name, CHECK_S) if _compiles(name, dtype, setup.device) else estimate.START_S + 1.5
        for dtype, name in _checks(setup)
    )


def _compiles(name: str, dtype: str, device: str) -> bool:
    some = replace(next(iter(PROBLEMS.values())), dtype=dtype)
    return name in estimate.COMPILED and ATTENTIONS[name].unsupported(some, device, "forward") is None


PARTS = {
    "tests": Part("the tests that need a GPU", tests, lambda setup: 240.0, 60.0),
    "check": Part(
        "every implementation in every dtype on problems chosen to hurt", check, _check_estimate, 60.0
    ),
    "ceilings": Part("what the device can do at most", measure_ceilings, lambda setup: 45.0, 45.0),
    "tuning": Part("which configurations of our kernels are fastest", tune, lambda setup: 180.0, 60.0),
    "attention": Part(
        "the preset gpu", partial(sweep, name="attention"), partial(sweep_seconds, name="attention"), 30.0
    ),
    "models": Part(
        "the preset gpu_models", partial(sweep, name="models"), partial(sweep_seconds, name="models"), 60.0
    ),
    "report": Part(
        "pages, tables, figures and summary.md of what is there", reports, lambda setup: 30.0, 10.0
    ),
}
