"""The command `sweep`: from what a user asks for to what a user sees."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from halobench import units
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.axes import WORKLOADS
from halobench.case import AttentionCase, Case
from halobench.console import console, say_left_out
from halobench.device.device import devices
from halobench.errors import UsageError
from halobench.report.terminal import costs_table
from halobench.results.store import Store
from halobench.screens.report import show
from halobench.sweep import estimate, session
from halobench.sweep import spec as specs
from halobench.sweep.plan import ALL, Plan, plan
from halobench.sweep.spec import RunSettings, Spec

SETTINGS = tuple(RunSettings.model_fields)


def wanted(
    preset: str | None,
    file: Path | None,
    workload: str | None,
    axes: Mapping[str, list[str]],
    run: Mapping[str, Any],
) -> tuple[Spec, str]:
    """The spec that a command line means, and a name for it."""
    if preset is not None and file is not None:
        raise UsageError(f"a preset ({preset}) and --spec ({file}) cannot both be given")
    if workload not in (None, *WORKLOADS):
        raise UsageError(f"workload: {workload!r} must be one of {', '.join(WORKLOADS)}")
    name = file.stem if file else preset or ("gpu" if "cuda" in devices() else "quick")
    content = specs.from_file(file) if file else specs.preset(name)
    if workload is not None:
        content = {key: value for key, value in content.items() if key in ("run", workload)}
    return specs.spec(content, axes, run), name


def show_plan(spec: Spec) -> int:
    """Print the cases, what is left out, and where the time will go."""
    missing = _unavailable(spec)
    planned = plan(spec)
    for case in planned.cases:
        print(case.id)
    _say_left_out(planned, missing)
    screen, costs = console(), _costs(planned.cases, spec.run)
    screen.print(costs_table(costs))
    total = units.seconds(sum(seconds for _, seconds in costs.values()))
    screen.print(f"{len(planned.cases)} cases, about {total}: a guess, from what each must compute")
    return 0


def _unavailable(spec: Spec) -> dict[str, str]:
    """Return the implementations that cannot be imported, each with the reason, where all are asked for."""
    every = any(ALL in table.values("implementation") for table in (*spec.attention, *spec.model))
    return IMPLEMENTATIONS.unavailable if every else {}


def _costs(cases: list[Case], run: RunSettings) -> dict[str, tuple[int, float]]:
    """Cases and seconds of each implementation of attention, and of each model; the longest first."""
    costs: dict[str, tuple[int, float]] = {}
    for case in cases:
        name = case.implementation if isinstance(case, AttentionCase) else case.model
        count, seconds = costs.get(name, (0, 0.0))
        own = run.replicates * min(run.timeout, estimate.of_case(case, run.seconds))
        costs[name] = count + run.replicates, seconds + own
    return dict(sorted(costs.items(), key=lambda entry: -entry[1][1]))


def sweep(spec: Spec, folder: Path, command: list[str]) -> int:
    """Measure all of it into a new folder."""
    missing = _unavailable(spec)
    planned = plan(spec)
    run_store = session.start(folder, planned.cases, spec, command)  # a bad folder is said first, and alone
    _say_left_out(planned, missing)
    return _finish(run_store, spec.run, folder)


def resume(folder: Path, command: list[str]) -> int:
    """Measure what is missing in a folder."""
    run_store, settings = session.resume(folder, command)
    return _finish(run_store, settings, folder)


def _finish(run_store: Store, settings: RunSettings, folder: Path) -> int:
    screen = console()
    screen.print(f"measuring into {folder}", soft_wrap=True)
    try:
        session.measure(run_store, settings, screen)
    except KeyboardInterrupt:
        again = shlex.join(["halobench", "sweep", "--resume", str(folder)])
        print(f"interrupted; what was measured is kept, and {again} goes on", file=sys.stderr)
        raise
    return show([folder], folder)


def _say_left_out(planned: Plan, missing: Mapping[str, str]) -> None:
    say_left_out(missing)
    for reason, count in planned.left_out.items():
        say_left_out({f"{count} combinations": reason})
