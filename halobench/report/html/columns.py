"""The table of all cases as data for the page's script: what each column is, and its values in base units."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from halobench.report import style
from halobench.results.columns import BY_NAME, COLUMNS, SAMPLES
from halobench.results.derived import METRICS, problem_columns
from halobench.units import BYTES, COUNT, FLOP, SECONDS

SHOWN = ("status", "time_s", "spread", "speedup", "peak_bytes", "flop", "flop_executed", "samples", "reason")
SIDES = ("height", "width", "image_size")  # said by the resolution already
KINDS = {
    "spread": "spread",
    "resolution": "resolution",
    "run": "word",
    "command": "word",
}  # of the page's own
BARE = {"x": "ratio", "share": "percent"}  # units of metrics that the values are written with
UNITS = {"seconds": SECONDS, "bytes": BYTES, "flop": FLOP, "count": COUNT}


Command = Callable[[Mapping[Any, Any]], str]  # of a row of the frame, as a line for a shell


@dataclass(frozen=True)
class Column:
    """A column of the table: its head, how its values are read, and whether it was asked of a case."""

    name: str
    head: str
    kind: str
    asked: bool
    shown: bool


def data(frame: pd.DataFrame, command: Command | None = None) -> dict[str, Any]:
    """What the script reads: columns that hold anything, a list a case, units, and colours."""
    rows = _derived(frame, command)
    names = [name for name in rows.columns if name != SAMPLES and _says_anything(rows[name])]
    asked = {"implementation", "resolution", *problem_columns(rows)}
    metrics = {name: entry.unit for name, entry in METRICS.items()}
    return {
        "columns": [asdict(_column(rows, name, name in asked, metrics.get(name))) for name in names],
        "rows": [[_plain(row[name]) for name in names] for row in rows.to_dict("records")],
        "units": {kind: list(units.items()) for kind, units in UNITS.items()},
        "colours": {
            name: style.colour(name or style.AS_IS) for name in style.ordered(rows["implementation"])
        },
        "palette": list(style.COLOURS.values()),
    }


def _derived(frame: pd.DataFrame, command: Command | None) -> pd.DataFrame:
    """Add what follows from the other columns and is read better than they are."""
    rows = frame.copy()
    records = frame.to_dict("records")
    rows.insert(rows.columns.get_loc("batch"), "resolution", [_resolution(row) for row in records])
    spread = (rows["time_high_s"] - rows["time_low_s"]) / 2 / rows["time_s"]
    rows.insert(rows.columns.get_loc("time_s") + 1, "spread", spread)
    long = [rows.pop(column.name) for column in COLUMNS if column.kind == "prose"]  # behind all numbers
    return rows.assign(
        **{str(words.name): words for words in long},
        command=["" if command is None else command(row) for row in records],
    )


def _resolution(row: Mapping[Any, Any]) -> str:
    height, width = (row["image_size"],) * 2 if row["workload"] == "model" else (row["height"], row["width"])
    return f"{height:.0f}x{width:.0f}"


def _says_anything(values: pd.Series) -> bool:
    return bool((values.notna() & (values != "")).any())


def _column(rows: pd.DataFrame, name: str, asked: bool, metric_unit: str | None) -> Column:
    """Shown at first is what was measured, and what of the question differs among cases of a workload."""
    alike = [rows] if name == "workload" else [cases for _, cases in rows.groupby("workload")]
    differs = asked and name not in SIDES and any(cases[name].nunique() > 1 for cases in alike)
    return Column(name, _head(name, metric_unit), _kind(name, metric_unit), asked, differs or name in SHOWN)


def _kind(name: str, metric_unit: str | None) -> str:
    """A function of the script that reads the values; `metric_unit` is None for what is no metric."""
    if name in BY_NAME:
        kind = BY_NAME[name].kind
        return "word" if kind == "prose" else kind
    return KINDS[name] if metric_unit is None else BARE.get(metric_unit, "number")


def _head(name: str, metric_unit: str | None) -> str:
    heading = BY_NAME[name].head if name in BY_NAME else name.replace("_", " ")
    return heading if metric_unit is None or metric_unit in BARE else f"{heading} [{metric_unit}]"


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: null for what is not known, no fraction on a whole number."""
    if isinstance(value, float):
        return None if not math.isfinite(value) else int(value) if value.is_integer() else value
    return "" if pd.isna(value) else str(value)
