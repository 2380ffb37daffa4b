"""Carry a plan out: make the run's folder, measure, store each record, write what people read."""

import json
import tempfile
import tomllib
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from rich.console import Console

from halobench import report, spec, store, summary, worker
from halobench.doubts import doubts
from halobench.environment import differences, environment
from halobench.html.page import page
from halobench.metrics import with_metrics
from halobench.prepare import Settings
from halobench.problem import Case
from halobench.progress import watched
from halobench.report import REPORTS, Render
from halobench.run import run
from halobench.spec import RunTable, Spec
from halobench.stats import Stop
from halobench.store import Store

ENVIRONMENT, SPEC = "environment.json", "spec.toml"


def start(folder: Path, cases: list[Case], wanted: Spec, command: list[str]) -> Store:
    """A new run's folder; FileExistsError where there is a run already."""
    here = json.dumps(
        environment(command, wanted.run.wait_policy), indent=2
    )  # takes a while: a run is begun whole or not at all
    run_store = Store.create(folder, cases)
    (folder / SPEC).write_text(spec.to_toml(wanted), encoding="utf-8")
    (folder / ENVIRONMENT).write_text(here, encoding="utf-8")
    return run_store


def resume(folder: Path, command: list[str]) -> tuple[Store, RunTable]:
    """A run that was interrupted; ValueError where this machine is not the one it was begun on."""
    run_store = Store(folder)
    settings = _settings(folder)
    if differs := differences(_environment(folder), environment(command, settings.wait_policy)):
        raise ValueError(f"{folder} was begun elsewhere: {'; '.join(differs)}")
    return run_store, settings


def measure(run_store: Store, settings: RunTable, console: Console) -> None:
    """Measure what has no record yet, each case in a process of its own."""
    before = run_store.records()
    plan = run_store.plan()
    worker.start(plan, settings.wait_policy)
    with tempfile.TemporaryDirectory(prefix="halobench-") as scratch:
        stop, truths, compiled = (
            Stop(seconds=settings.seconds),
            Path(scratch, "truths"),
            Path(scratch, "compiled"),
        )
        truths.mkdir()
        each = Settings(
            seed=settings.seed, stop=stop, autotune=settings.autotune, truths=truths, compiled=compiled
        )
        one = partial(worker.measure, settings=each, timeout=settings.timeout)
        records = run(plan, one, replicates=settings.replicates, seed=settings.seed, before=before)
        for record in watched(records, len(plan) * settings.replicates - len(before), console):
            run_store.add(record)


def write(folders: list[Path], out: Path) -> pd.DataFrame:
    """Tables, figures and the page of what these runs hold, into `out`; the frame with its metrics."""
    frame = with_metrics(store.read(folders))
    environments = {str(folder): _environment(folder) for folder in folders}
    _must_be_alike(environments)
    out.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(out / "results.parquet", index=False)
    frame.drop(columns=store.RAW).to_csv(out / "results.csv", index=False)
    rendered = {name: report.save(name, _rendered(render, frame), out) for name, render in REPORTS.items()}
    title = f"halobench: {', '.join(folder.name for folder in folders)}"
    settings = {folder.resolve().name: _settings(folder) for folder in folders}
    shown = page(frame, rendered, environments, title, [summary.sentence(frame), *doubts(frame)], settings)
    (out / "report.html").write_text(shown, encoding="utf-8")
    return frame


def _rendered(render: Render, frame: pd.DataFrame) -> str | Figure:
    """What a report gives, or what went wrong: one broken report must not take the others with it."""
    try:
        return render(frame)
    except Exception as error:
        traceback.print_exc()
        return f"This report failed: {type(error).__name__}: {error}\n"


def _must_be_alike(environments: dict[str, dict[str, Any]]) -> None:
    """ValueError where runs were made on different machines or packages: their times do not compare."""
    (first, known), *others = environments.items()
    for folder, found in others:
        if differs := [line for line in differences(known, found) if not line.startswith("commit ")]:
            raise ValueError(f"{first} and {folder} can not be joined: {'; '.join(differs)}")


def _settings(folder: Path) -> RunTable:
    content = tomllib.loads((folder / SPEC).read_text(encoding="utf-8"))
    return Spec.model_validate(content).run


def _environment(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    return found
