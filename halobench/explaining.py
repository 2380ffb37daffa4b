"""The command `explain`: where the time, memory and FLOPs of one case go."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Column, Table

from halobench import attention, operators, parts, text, worker
from halobench.case_id import parse
from halobench.environment import environment
from halobench.models import zoo
from halobench.operators import Operator
from halobench.parts import KINDS, REST, Part
from halobench.parts_figure import figure
from halobench.prepare import Settings
from halobench.problem import AttentionCase, Case, ModelCase
from halobench.progress import console, result
from halobench.record import Record
from halobench.report import save
from halobench.stats import Stop, summary
from halobench.worker import Ended

SHOWN = 12  # operators on the screen; the file has all
COLUMNS = ("params", "GFLOP", "time", "of all", "GFLOP/s", "peak memory")
LIMIT_S = 600.0  # of each of the three things that are done


def show(name: str, out: Path | None, seconds: float, command: list[str]) -> int:
    """Measure a case and its parts, and print them; 1 where it can not be measured or is wrong.

    Args:
        name: the id of a case.
        out: a new folder for tables, trace and figure; none if not given.
        seconds: of samples, of the case and of each part.
        command: as it was called, for the folder.

    Raises:
        ValueError: no id; a network that is compiled has no parts.
        KeyError: a model or implementation that nobody knows.
        FileExistsError: the folder is there already.
    """
    case = parse(name)
    _known(case)
    if out is not None:
        out.mkdir(parents=True)
        (out / "environment.json").write_text(json.dumps(environment(command), indent=2), encoding="utf-8")
    settings, screen = Settings(stop=Stop(seconds=seconds), autotune="known"), console()
    worker.preload([f"halobench.prepare_{case.workload}", "halobench.parts", "halobench.operators"])
    record = worker.measure(case, settings, LIMIT_S)
    screen.print(result(record), soft_wrap=True)
    if record.status != "ok":
        return 1
    if isinstance(case, ModelCase):
        of_parts = worker.apart(partial(parts.measured, case, settings), LIMIT_S)
        if isinstance(of_parts, Ended):
            return _failed(of_parts, screen)
        table = tabled(of_parts, record)
        _print_parts(table, screen)
        if out is not None:
            table.to_csv(out / "parts.csv", index=False)
            save("parts", figure(table, case.id), out)
    trace = None if out is None else out / "trace.json"
    found = worker.apart(partial(operators.profiled, case, settings, trace), LIMIT_S)
    if isinstance(found, Ended):
        return _failed(found, screen)
    _print_operators(found, screen)
    if out is not None:
        pd.DataFrame(map(asdict, found)).to_csv(out / "operators.csv", index=False)
        screen.print(f"all of it: {out}", soft_wrap=True)
    return 0


def _known(case: Case) -> None:
    """KeyError and ValueError before anything is measured."""
    if isinstance(case, AttentionCase):
        attention.find(case.implementation)
    elif reason := zoo.find(case.model).unsupported(case.implementation):
        raise ValueError(reason)
    else:
        parts.must_have_parts(case)


def _failed(ended: Ended, screen: Console) -> int:
    screen.print(f"{ended.status}: {ended.reason}", soft_wrap=True)
    return 1


def tabled(found: Sequence[Part], record: Record) -> pd.DataFrame:
    """A row the whole, a stage, a kind of layer, a layer: `by part params flop time_s peak_bytes samples`.

    What is left of the whole is `between the stages`, or of the kinds `the rest`: activations, sums, pooling,
    and the difference that it makes to be called in turn. It can be less than nothing.
    """
    middle = summary(record.samples).median
    whole = {"params": record.work.params, "flop": record.work.flop, "time_s": middle}
    rows = [{"by": "whole", "part": "whole"} | whole | _own(record.peak_bytes, record.samples)]
    stages = [part for part in found if part.kind == "stage"]
    layers = [part for part in found if part.kind != "stage"]
    rows += [_row("stage", part.name, [part]) for part in stages]
    rows += [_rest("stage", "between the stages", whole, stages)]
    kinds = {kind: [part for part in layers if part.kind == kind] for kind in ("attention", *KINDS)}
    rows += [_row("kind", kind, of) for kind, of in kinds.items() if of]
    rows.append(_rest("kind", REST, whole, layers))
    rows += [_row(part.kind, part.name, [part]) for part in layers]
    return pd.DataFrame(rows)


def _row(by: str, name: str, of: Sequence[Part]) -> dict[str, Any]:
    samples = of[0].samples if len(of) == 1 else ()
    return {"by": by, "part": name} | _sums(of) | _own(max(part.peak_bytes for part in of), samples)


def _rest(by: str, name: str, whole: dict[str, Any], of: Sequence[Part]) -> dict[str, Any]:
    left = {column: whole[column] - total for column, total in _sums(of).items()}
    return {"by": by, "part": name} | left | _own(None, ())


def _sums(of: Iterable[Part]) -> dict[str, float]:
    """A module that is part of two is counted once: layers share no module, stages neither."""
    of = list(of)
    return {
        "params": sum(part.params for part in of),
        "flop": sum(part.flop for part in of),
        "time_s": sum(part.seconds for part in of),
    }


def _own(peak_bytes: int | None, samples: Sequence[float]) -> dict[str, Any]:
    return {"peak_bytes": peak_bytes, "samples": " ".join(map(repr, samples))}


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
        text.count(row["params"]) if row["params"] else text.NOTHING,
        text.number(row["flop"] / 1e9) if row["flop"] else text.NOTHING,
        text.seconds(row["time_s"]),
        text.percent(row["time_s"] / whole),
        text.number(rate),
        text.bytes_(row["peak_bytes"]),
    ]


def _print_operators(found: Sequence[Operator], screen: Console) -> None:
    total = sum(one.seconds for one in found)
    shown = Table("operator", *(Column(name, justify="right") for name in ("calls", "own time", "of all")))
    shown.box = box.SIMPLE_HEAD
    for one in found[:SHOWN]:
        shown.add_row(one.name, str(one.calls), text.seconds(one.seconds), text.percent(one.seconds / total))
    screen.print(shown)
