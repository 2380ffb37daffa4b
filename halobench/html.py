"""The page of a run: one HTML file that needs no network, with every report and every case."""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
import pandas as pd
from markdown_it import MarkdownIt
from markupsafe import Markup
from matplotlib.figure import Figure

from halobench import report, text


@dataclass(frozen=True)
class Section:
    """What a report gave, as HTML; or a figure, as the address of an embedded image."""

    name: str
    title: str
    table: Markup | None = None
    figure: str | None = None


@dataclass(frozen=True)
class Column:
    """Of the table of all cases: its head, what a cell reads, and the column of the frame behind it."""

    head: str
    read: Callable[[Mapping[str, Any]], str]
    raw: str
    number: bool = True

    def value(self, row: Mapping[str, Any]) -> str:
        """In full, in base units; empty where nothing is known."""
        return "" if pd.isna(row[self.raw]) else str(row[self.raw])


def words(name: str, head: str | None = None) -> Column:
    """A column of text."""
    return Column(head or name, lambda row: _word(row[name]), name, number=False)


def number(name: str, head: str, read: Callable[[Any], str]) -> Column:
    """A column of numbers, written out by `read`."""
    return Column(head, lambda row: read(row[name]), name)


FIRST = (  # of the reports, what most readers come for; the others follow in the order given
    "speedup",
    "time_over_resolution",
    "time_over_block_halo",
    "memory_over_resolution",
    "flops",
    "models",
    "accuracy_over_params",
    "not_measured",
)
COLUMNS = (
    words("case"),
    words("status"),
    Column("time", lambda row: text.time(row["time_s"], row["time_low_s"], row["time_high_s"]), "time_s"),
    number("speedup", "speed-up", text.ratio),
    number("peak_bytes", "peak memory", text.bytes_),
    number("flop", "useful operations", text.flop),
    number("flop_executed", "executed", text.flop),
    number("samples", "samples", text.number),
    words("reason"),
)


def page(
    frame: pd.DataFrame,
    rendered: Mapping[str, str | Figure],
    environment: Mapping[str, Any],
    title: str,
    headline: str = "",
) -> str:
    """The frame has its metrics, `rendered` is what each report gave for it; the headline stands on top."""
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = (resources.files("halobench") / "page.html").read_text(encoding="utf-8")
    return template.from_string(source).render(
        title=title,
        headline=headline,
        sections=[_section(name, rendered[name]) for name in sorted(rendered, key=_place)],
        columns=COLUMNS,
        rows=frame.to_dict("records"),
        environment=list(_flat(environment)),
    )


def _place(name: str) -> int:
    return FIRST.index(name) if name in FIRST else len(FIRST)


def _section(name: str, result: str | Figure) -> Section:
    title = report.title(name) if name in report.REPORTS else name
    if isinstance(result, Figure):
        code = base64.b64encode(report.svg(name, result)).decode("ascii")
        return Section(name, title, figure=f"data:image/svg+xml;base64,{code}")
    return Section(name, title, table=_markdown(result))


def _markdown(source: str) -> Markup:
    """Tables and plain marks only: HTML is escaped, and nothing brings in an image or a link."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink"])
    return Markup(reader.render(source))


def _flat(environment: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested entries by their path: `gpu.name`."""
    for name, value in environment.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _word(value)


def _word(value: object) -> str:
    return text.NOTHING if value is None or value != value or value == "" else str(value)
