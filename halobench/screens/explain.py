"""The command `explain`: where the time, memory and FLOPs of one case go."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Column, Table

from halobench import isolate, units
from halobench.attention.implementation import load
from halobench.case import AttentionCase, Case, ModelCase, parse
from halobench.console import console, result
from halobench.errors import UsageError
from halobench.files import writable_folder
from halobench.isolate import ChildFailure
from halobench.measure.measurement import workload
from halobench.measure.stopping import StoppingCriterion
from halobench.measure.workload import Settings
from halobench.models import zoo
from halobench.profiling import modules, operators
from halobench.profiling.breakdown import tabled
from halobench.profiling.figure import figure
from halobench.profiling.operators import Operator
from halobench.report.output import save
from halobench.results.environment import environment
from halobench.results.folder import write_environment
from halobench.sweep.executors import process

SHOWN = 12  # operators on the screen; the file has all
COLUMNS = ("params", "GFLOP", "time", "of all", "GFLOP/s", "peak memory")
LIMIT_S = 600.0  # of each of the three things that are done


def show(name: str, out: Path | None, seconds: float, command: list[str]) -> int:
    """Measure a case and its parts, and print them; 1 where it cannot be measured or is wrong.

    Args:
        name: the id of a case.
        out: a new folder for tables, trace and figure; none if not given.
        seconds: of samples, of the case and of each part.
        command: as it was called, for the folder.

    Raises:
        UsageError: no id; a network that is compiled has no parts.
        UnknownName: a model or implementation that nobody knows.
        UsageError: the folder is there already.
    """
    case = parse(name)
    _known(case)
    if out is not None:
        writable_folder(out, new=True)
        write_environment(out, environment(command))
    settings, screen = Settings(stop=StoppingCriterion(seconds=seconds), autotune="known"), console()
    isolate.preload([module.__name__ for module in (process, workload(case), modules, operators)])
    record = process.measure(case, settings, LIMIT_S)
    screen.print(result(record), soft_wrap=True)
    if record.status != "ok":
        return 1
    if isinstance(case, ModelCase):
        of_parts = isolate.run_isolated(partial(modules.measured, case, settings), LIMIT_S)
        if isinstance(of_parts, ChildFailure):
            return _failed(of_parts, screen)
        table = tabled(of_parts, record)
        _print_parts(table, screen)
        if out is not None:
            table.to_csv(out / "parts.csv", index=False)
            save("parts", figure(table, case.id), out)
    trace = None if out is None else out / "trace.json"
    found = isolate.run_isolated(partial(operators.profiled, case, settings, trace), LIMIT_S)
    if isinstance(found, ChildFailure):
        return _failed(found, screen)
    _print_operators(found, screen)
    if out is not None:
        pd.DataFrame(map(asdict, found)).to_csv(out / "operators.csv", index=False)
        screen.print(f"all of it: {out}", soft_wrap=True)
    return 0


def _known(case: Case) -> None:
    """UsageError before anything is measured."""
    if isinstance(case, AttentionCase):
        load(case.implementation)
    elif reason := zoo.find(case.model).unsupported(case.implementation):
        raise UsageError(reason)
    else:
        modules.must_have_parts(case)


def _failed(ended: ChildFailure, screen: Console) -> int:
    screen.print(f"{ended.status}: {ended.reason}", soft_wrap=True)
    return 1


def _print_parts(table: pd.DataFrame, screen: Console) -> None:
    whole = float(table["time_s"].iloc[0])
    for by, title in {"stage": "stages", "kind": "kinds of layers", "attention": "attention"}.items():
        rows = table[table["by"].isin(["whole", by])]
        shown = Table(title, *(Column(name, justify="right") for name in COLUMNS), box=box.SIMPLE_HEAD)
        for row in rows.to_dict("records"):
            shown.add_row(str(row["part"]), *_cells(row, whole))
        if len(rows) > 1:
            screen.print(shown)


def _cells(row: Any, whole: float) -> list[str]:
    rate = row["flop"] / row["time_s"] / 1e9 if row["flop"] else None
    return [
        units.count(row["params"]) if row["params"] else units.NOTHING,
        units.number(row["flop"] / 1e9) if row["flop"] else units.NOTHING,
        units.seconds(row["time_s"]),
        units.percent(row["time_s"] / whole),
        units.number(rate),
        units.bytes_(row["peak_bytes"]),
    ]


def _print_operators(found: Sequence[Operator], screen: Console) -> None:
    total = sum(one.seconds for one in found)
    shown = Table("operator", *(Column(name, justify="right") for name in ("calls", "own time", "of all")))
    shown.box = box.SIMPLE_HEAD
    for one in found[:SHOWN]:
        shown.add_row(
            one.name, str(one.calls), units.seconds(one.seconds), units.percent(one.seconds / total)
        )
    screen.print(shown)
