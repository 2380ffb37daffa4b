"""The command `list`: everything that has a name."""

import inspect
import sys
from typing import Any

from rich.table import Table
from rich.text import Text

from halobench import units
from halobench.attention.implementation import AUTO, AUTO_ELSEWHERE, IMPLEMENTATIONS
from halobench.console import console, say_left_out
from halobench.models import zoo
from halobench.report.contract import REPORTS
from halobench.results.derived import METRICS
from halobench.results.published import best, cited
from halobench.sweep.spec import presets


def show() -> None:
    """Print names and what they are, and what was left out."""
    screen = console()
    screen.print(
        _table("implementations", {name: _about(entry.attend) for name, entry in IMPLEMENTATIONS.items()})
    )
    screen.print(f"auto: {AUTO['cpu']} on a CPU, {AUTO_ELSEWHERE} elsewhere")
    screen.print(_table("models", {name: _model(name) for name in zoo.LISTED}))
    screen.print(f"any other model of timm: {zoo.TIMM}<its name>")
    screen.print(_table("metrics", {name: _metric(name) for name in METRICS}))
    screen.print(_table("reports", {name: entry.title for name, entry in REPORTS.items()}))
    screen.print(_table("presets", presets()))
    for registry in (IMPLEMENTATIONS, METRICS, REPORTS):
        say_left_out(registry.unavailable)


def _table(title: str, rows: dict[str, str]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for name, about in rows.items():
        table.add_row(name, Text(about))
    return table


def _about(function: object) -> str:
    """The first line of the file that registers it."""
    module = inspect.getmodule(function)
    return (inspect.getdoc(sys.modules[module.__name__]) or "").partition("\n")[0] if module else ""


def _model(name: str) -> str:
    model, row = zoo.find(name), best(name)
    inside = "halo attention inside" if model.halo else "no halo attention"
    published = _accuracy(row) if row else ""
    return f"{model.image_size} px, {inside}{published}"


def _accuracy(row: dict[str, Any]) -> str:
    return cited(f", top-1 {units.percent(row['top1'])} with {row['label']}", row["verified"])


def _metric(name: str) -> str:
    entry = METRICS[name]
    return f"[{entry.unit}] {entry.better} is better. {(inspect.getdoc(entry.compute) or '')}".strip()
