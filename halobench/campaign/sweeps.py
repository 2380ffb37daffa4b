"""The sweeps of a GPU campaign: begun, gone on with, and begun again beside what another machine measured."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, filterfalse, takewhile
from pathlib import Path

import pandas as pd

from halobench.console import console
from halobench.deadline import Deadline, OutOfTime
from halobench.errors import UsageError
from halobench.results.store import NAME, Store
from halobench.sweep import estimate, session
from halobench.sweep.plan import plan
from halobench.sweep.spec import RunSettings, Spec, preset, spec

SWEEPS = {"attention": ("gpu", "attention"), "models": ("gpu_models", "model")}  # preset and workload
SMALL = {  # axes of a sweep that tries everything out on a CPU
    "attention": {
        "device": ["cpu"], "implementation": ["haloed_blocked", "sdpa_blocked"], "resolution": ["16"],
        "block": ["8"], "halo": ["3"], "batch": ["1"], "heads": ["2"], "dim": ["16"], "dtype": ["float32"],
        "border": ["zero"],
    },
    "models": {
        "device": ["cpu"], "model": ["timm/halonet26t"], "implementation": ["original"],
        "image_size": ["256"], "batch": ["1"], "dtype": ["float32"], "mode": ["eager"],
        "direction": ["inference"], "layout": ["nchw"],
    },
}  # fmt: skip


@dataclass(frozen=True)
class Setup:
    """Where a campaign writes, what it measures, and whether it only tries everything out."""

    out: Path
    device: str
    small: bool


def sweep(setup: Setup, deadline: Deadline, *, name: str) -> str:
    """Begin, or go on; what was begun on another machine is left as it is, and begun again beside it."""
    run_store, settings = _opened(setup, name)
    if not session.measure(run_store, settings, console(), deadline=deadline):
        raise OutOfTime(_measured(run_store))
    return _measured(run_store)


def sweep_seconds(setup: Setup, *, name: str) -> float:
    """A guess, also where there is no GPU."""
    wanted = asked(setup, name)
    cases = [replace(case, device=setup.device) for case in plan(wanted).cases]
    return estimate.seconds(cases, wanted.run.seconds)


def asked(setup: Setup, name: str) -> Spec:
    """What a sweep measures."""
    source, workload = SWEEPS[name]
    content = {key: value for key, value in preset(source).items() if key in ("run", workload)}
    if setup.small:
        return spec(content, SMALL[name], {"seconds": 0.01})
    return spec(content, {}, {"autotune": "known"})  # what the part `tuning` found


def folders(out: Path, name: str) -> list[Path]:
    """Return the folders of a sweep's runs, one per machine."""
    return list(takewhile(_is_run, _names(out, name)))


def runs(out: Path) -> dict[str, Path]:
    """The folders of all runs, by their names."""
    return {folder.name: folder for name in SWEEPS for folder in folders(out, name)}


def _opened(setup: Setup, name: str) -> tuple[Store, RunSettings]:
    source, workload = SWEEPS[name]
    command = ["halobench", "sweep", source, "--workload", workload]
    for last in folders(setup.out, name)[-1:]:
        try:
            return session.resume(last, command)
        except UsageError as elsewhere:
            console().print(f"{name}: begun again, {elsewhere}")
    wanted, new = asked(setup, name), next(filterfalse(_is_run, _names(setup.out, name)))
    return session.start(new, plan(wanted).cases, wanted, command), wanted.run


def _names(out: Path, name: str) -> Iterator[Path]:
    return (out / (name if number == 1 else f"{name}-{number}") for number in count(1))


def _is_run(folder: Path) -> bool:
    return (folder / NAME).exists()


def _measured(run_store: Store) -> str:
    statuses = pd.Series([record.status for record in run_store.records()])
    return f"{len(statuses)} of {len(run_store.plan())} cases: {counts(statuses)}"


def counts(words: "pd.Series[str]") -> str:
    return ", ".join(f"{number} {word}" for word, number in words.value_counts().items()) or "nothing"
