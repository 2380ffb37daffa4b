"""The commands `sweep` and `report`: from what a user asks to what a user sees."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from halobench import attention, estimate, execute, plugins, report, summary, text
from halobench import spec as specs
from halobench.doubts import doubts
from halobench.outcome import costs_table, tables
from halobench.problem import AttentionCase, Case
from halobench.progress import console, say_left_out
from halobench.record import BAD
from halobench.spec import WORKLOADS, AttentionTable, ModelTable, RunTable, Spec
from halobench.store import Store
from halobench.sweep import ALL, Plan, devices, plan

SETTINGS = tuple(RunTable.model_fields)
AXES = tuple(dict.fromkeys([*AttentionTable.model_fields, *ModelTable.model_fields]))


def wanted(
    preset: str | None,
    file: Path | None,
    workload: str | None,
    axes: Mapping[str, list[str]],
    run: Mapping[str, Any],
) -> tuple[Spec, str]:
    """The spec that a command line means, and a name for it."""
    if preset is not None and file is not None:
        raise ValueError(f"a preset ({preset}) and --spec ({file}) can not both be given")
    if workload not in (None, *WORKLOADS):
        raise ValueError(f"workload: {workload!r} must be one of {', '.join(WORKLOADS)}")
    name = file.stem if file else preset or ("gpu" if "cuda" in devices() else "quick")
    content = specs.from_file(file) if file else specs.preset(name)
    if workload is not None:
        content = {key: value for key, value in content.items() if key in ("run", workload)}
    return specs.spec(content, axes, run), name


def show_plan(spec: Spec) -> int:
    """Print the cases, what is left out, and where the time will go."""
    missing = _load(spec)
    planned = plan(spec)
    for case in planned.cases:
        print(case.id)
    _say_left_out(planned, missing)
    screen, costs = console(), _costs(planned.cases, spec.run)
    screen.print(costs_table(costs))
    total = text.seconds(sum(seconds for _, seconds in costs.values()))
    screen.print(f"{len(planned.cases)} cases, about {total}: a guess, from what each must compute")
    return 0


def _load(spec: Spec) -> dict[str, str]:
    """Import every implementation where all are asked for, else none yet; those left out, and why."""
    every = any(ALL in table.implementation for table in (*spec.attention, *spec.model))
    return plugins.load_all(attention.GROUP) if every else {}


def _costs(cases: list[Case], run: RunTable) -> dict[str, tuple[int, float]]:
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
    missing = _load(spec)
    planned = plan(spec)
    run_store = execute.start(folder, planned.cases, spec, command)  # a bad folder is said first, and alone
    _say_left_out(planned, missing)
    return _finish(run_store, spec.run, folder)


def resume(folder: Path, command: list[str]) -> int:
    """Measure what is missing in a folder."""
    run_store, settings = execute.resume(folder, command)
    return _finish(run_store, settings, folder)


def report_again(folders: list[Path], out: Path | None) -> int:
    """Write the reports of stored runs."""
    if out is None and len(folders) > 1:
        raise ValueError("several runs are joined into a folder of their own: --out DIR must say which")
    if out is not None and len(folders) > 1 and out.resolve() in [folder.resolve() for folder in folders]:
        raise ValueError(f"{out} is one of the runs that are joined: --out must name another folder")
    return _show(folders, out or folders[0])


def _finish(run_store: Store, settings: RunTable, folder: Path) -> int:
    execute.measure(run_store, settings, console())
    return _show([folder], folder)


def _show(folders: list[Path], out: Path) -> int:
    plugins.load_all(report.GROUP)
    frame, screen = execute.write(folders, out), console()
    for workload, rows in frame.groupby("workload", sort=False):
        for table in tables(str(workload), rows, screen.width):
            screen.print(table)
    for line in (summary.sentence(frame), *doubts(frame)):
        screen.print(line)
    screen.print(f"the page: {out / 'report.html'}", soft_wrap=True)
    return 1 if frame["status"].isin(BAD).any() else 0


def _say_left_out(planned: Plan, missing: Mapping[str, str]) -> None:
    say_left_out(missing)
    for reason, count in planned.left_out.items():
        say_left_out({f"{count} combinations": reason})
