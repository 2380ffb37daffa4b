"""Put the page together: reports, the table of all cases, environment, style and script in one file."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
import pandas as pd
from markdown_it import MarkdownIt
from markupsafe import Markup

from halobench import units
from halobench.report.contract import REPORTS, Nothing
from halobench.report.html.columns import Command, data

SCRIPTS = (
    "cases.js",
    "numbers.js",
    "filters.js",
    "table.js",
    "scales.js",
    "panel.js",
    "explorer.js",
    "page.js",
)


@dataclass(frozen=True)
class Section:
    """What a report gave, as HTML; or a figure, as the address of an embedded image."""

    name: str
    title: str
    table: Markup | None = None
    figure: str | None = None


def page(  # noqa: PLR0913  what there is to show
    frame: pd.DataFrame,
    rendered: Mapping[str, str | bytes],
    environments: Mapping[str, Mapping[str, Any]],
    title: str,
    headlines: Sequence[str] = (),
    command: Command | None = None,
) -> str:
    """The frame has its metrics, `rendered` what each report shows of it; the headlines stand on top.

    `environments` are those of the runs, by name; `command` gives the line that measures a row's case again.
    """
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    script = "\n".join(map(_file, SCRIPTS))
    placed = sorted(rendered, key=lambda name: REPORTS[name].place)
    empty = {name: str(rendered[name]) for name in placed if isinstance(rendered[name], Nothing)}
    placed = [name for name in placed if name not in empty]
    sources = [name for name in placed if REPORTS[name].section == "sources"]  # behind the table of all cases
    return template.from_string(_file("page.html")).render(
        title=title,
        headlines=headlines,
        runs={name: list(_where(environment)) for name, environment in environments.items()},
        commands={name: environment.get("command") for name, environment in environments.items()},
        sections=[_section(name, rendered[name]) for name in placed if name not in sources],
        sources=[_section(name, rendered[name]) for name in sources],
        empty={REPORTS[name].title: reason.strip() for name, reason in empty.items()},
        environments={name: list(_flat(environment)) for name, environment in environments.items()},
        data=data(frame, command),
        style=Markup(_file("page.css")),
        script=Markup(script),
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
    )


def _file(name: str) -> str:
    return (resources.files("halobench.report.html") / name).read_text(encoding="utf-8")


def _section(name: str, result: str | bytes) -> Section:
    title = REPORTS[name].title
    if isinstance(result, bytes):
        code = base64.b64encode(result).decode("ascii")
        return Section(name, title, figure=f"data:image/svg+xml;base64,{code}")
    return Section(name, title, table=_markdown(result))


def _markdown(source: str) -> Markup:
    """Tables and plain marks only: HTML is escaped, and nothing brings in an image or a link."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink"])
    return Markup(reader.render(source))


def _where(environment: Mapping[str, Any]) -> Iterator[str]:
    """What a reader wants to know of it at once: device, versions, date; what is not known is left out."""
    gpu, packages = environment.get("gpu") or {}, environment.get("packages") or {}
    if gpu.get("name"):
        yield str(gpu["name"])
    if environment.get("cpu"):
        yield f"{environment['cpu']}, {environment.get('cores', units.NOTHING)} cores"
    yield from (f"{name} {packages[name]}" for name in ("torch", "triton") if packages.get(name))
    if environment.get("started"):
        yield str(environment["started"]).replace("T", " ").replace("+00:00", " UTC")
    if environment.get("commit"):
        yield f"commit {environment['commit']}"


def _flat(environment: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested entries by their path: `gpu.name`."""
    for name, value in environment.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _word(value)


def _word(value: object) -> str:
    return units.NOTHING if value is None or value != value or value == "" else str(value)
