"""A session carries a plan out: it makes the run's folder, measures, and stores each record."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from halobench import plugins
from halobench.attention.implementation import load_files
from halobench.case import Case
from halobench.console import watched
from halobench.deadline import NEVER, Deadline
from halobench.errors import OtherMachine
from halobench.measure.stopping import StoppingCriterion
from halobench.measure.workload import Settings
from halobench.results.environment import differences, environment
from halobench.results.folder import read_environment, write_environment
from halobench.results.store import Store
from halobench.sweep import spec
from halobench.sweep.executors.executor import Executor
from halobench.sweep.executors.process import Processes
from halobench.sweep.schedule import run
from halobench.sweep.spec import RunSettings, Spec

SPEC = "spec.toml"


def start(folder: Path, cases: list[Case], wanted: Spec, command: list[str]) -> Store:
    """A new run's folder; UsageError where there is a run already."""
    here = environment(command, wanted.run.wait_policy)  # takes a while: a run is begun whole or not at all
    run_store = Store.create(folder, cases)
    (folder / SPEC).write_text(spec.to_toml(wanted), encoding="utf-8")
    write_environment(folder, here)
    return run_store


def resume(folder: Path, command: list[str]) -> tuple[Store, RunSettings]:
    """A run that was interrupted; UsageError where this machine is not the one it was begun on."""
    run_store = Store(folder)
    settings = settings_of(folder)
    begun = read_environment(folder)
    if differs := differences(begun, environment(command, settings.wait_policy)):
        raise OtherMachine(f"{folder} was begun elsewhere: {'; '.join(differs)}")
    files = begun.get("plugin_files", {})
    load_files(map(Path, files))
    if changed := [path for path, digest in plugins.digests().items() if files.get(path) != digest]:
        raise OtherMachine(f"{folder} was begun with another {changed[0]}")
    return run_store, settings


def measure(
    run_store: Store,
    settings: RunSettings,
    console: Console,
    make: Callable[[Settings, RunSettings, Deadline], Executor] = Processes.of,
    deadline: Deadline = NEVER,
) -> bool:
    """Measure what has no record yet with the executor that `make` gives, and store each record.

    Return whether every case has one: after the deadline none is begun, and one that it ends has none.
    """
    before = run_store.records()
    plan = run_store.plan()
    with tempfile.TemporaryDirectory(prefix="halobench-") as scratch:
        truths = Path(scratch, "truths")
        truths.mkdir()
        each = Settings(
            seed=settings.seed,
            stop=StoppingCriterion(seconds=settings.seconds),
            autotune=settings.autotune,
            truths=truths,
            compiled=Path(scratch, "compiled"),
        )
        executor = make(each, settings, deadline)
        executor.start(plan)
        left = len(plan) * settings.replicates - len(before)
        records = run(
            plan,
            executor,
            replicates=settings.replicates,
            seed=settings.seed,
            before=before,
            deadline=deadline,
        )
        for record in watched(records, left, console):
            run_store.add(record)
            left -= 1
    return left == 0


def settings_of(folder: Path) -> RunSettings:
    """Return the run settings that a run was begun with."""
    return spec.spec(spec.from_file(folder / SPEC), {}, {}).run
