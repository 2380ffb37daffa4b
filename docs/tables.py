"""The tables of reference.md, made of what they list: `nox -s docs` writes, `nox` compares them."""

import ast
import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import get_args, get_type_hints

from typer.models import ArgumentInfo, OptionInfo

from halobench import cli
from halobench.report import markdown
from halobench.report.contract import REPORTS
from halobench.results.columns import COLUMNS
from halobench.results.derived import METRICS
from halobench.sweep.spec import presets as known_presets

KERNELS = Path(__file__).parent.parent / "kernels"


def commands() -> str:
    """Every command with its arguments and options, as `--help` has them."""
    return "\n".join(_command(name, run) for name, run in cli.runs().items())


def _command(name: str, run: Callable[..., object]) -> str:
    hints = {key: hint for key, hint in get_type_hints(run, include_extras=True).items() if key != "return"}
    rows = [_option(key, *get_args(hint)) for key, hint in hints.items()]
    table = markdown.table(["option", "meaning"], rows, words=2) if rows else ""
    return f"### `halobench {name}`\n\n{inspect.getdoc(run)}\n\n{table}"


def _option(name: str, kind: object, info: ArgumentInfo | OptionInfo) -> list[str]:
    """An option as a user writes it, and its help."""
    kinds = str(getattr(kind, "__name__", kind)).partition(" ")[0].upper()
    if isinstance(info, ArgumentInfo):
        written = info.metavar or name.upper()
    elif kind is bool:
        written = _flag(name, info)
    else:
        written = f"{_flag(name, info)} {info.metavar or kinds}"
    return [f"`{written}`", _plain(info.help or "")]


def _flag(name: str, info: OptionInfo) -> str:
    """Within Annotated, typer keeps the first name of an option as its default."""
    own = info.default
    return own if isinstance(own, str) and own.startswith("-") else f"--{name.replace('_', '-')}"


def implementations() -> str:
    """Every implementation that comes with halobench, installed or not, by the first line of its file."""
    files = [path for path in sorted(KERNELS.glob("*.py")) if not path.name.startswith("_")]
    return _table("implementation", ([path.stem, _first_line(path)] for path in files))


def columns() -> str:
    """Every column of the frame, in its order."""
    rows = [[f"`{column.name}`", column.kind, column.about] for column in COLUMNS]
    return markdown.table(["column", "kind", "what it is"], rows, words=3)


def metrics() -> str:
    """Every metric with its unit."""
    rows = (
        [name, f"{_about(entry.compute)} [{entry.unit}, {entry.better} is better]"]
        for name, entry in METRICS.items()
    )
    return _table("metric", rows)


def reports() -> str:
    """In the order of the page."""
    placed = sorted(REPORTS.values(), key=lambda entry: entry.place)
    rows = [[f"`{entry.name}`", entry.section, _plain(entry.title)] for entry in placed]
    return markdown.table(["report", "section", "what it shows"], rows, words=3)


def presets() -> str:
    """Every preset by the first line of its file."""
    return _table("preset", ([name, about] for name, about in known_presets().items()))


def _table(kind: str, rows: Iterator[Sequence[str]]) -> str:
    return markdown.table(
        [kind, "what it is"], [[f"`{name}`", _plain(about)] for name, about in rows], words=2
    )


def _plain(words: str) -> str:
    """A cell: backticks stay code, a bar does not end it."""
    return words.replace("|", "\\|")


def _about(function: object) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0].rstrip(".")


def _first_line(path: Path) -> str:
    return (
        (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0].rstrip(".")
    )
