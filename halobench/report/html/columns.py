"""The table of all cases as data for the page's script: what each column is, and its values in base units."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from halobench.report import style
from halobench.results.derived import METRICS, problem_columns
from halobench.results.frame import RAW
from halobench.units import BYTES, COUNT, FLOP, SECONDS

HEADS = {
    "time_s": "time",
    "speedup": "speed-up",
    "peak_bytes": "peak memory",
    "reserved_bytes": "reserved memory",
    "min_bytes": "least traffic",
    "flop": "useful operations",
    "flop_executed": "executed operations",
    "params": "parameters",
    "top1": "top-1 accuracy",
}
SHOWN = ("status", "time_s", "spread", "speedup", "peak_bytes", "flop", "flop_executed", "samples", "reason")
SIDES = ("height", "width", "image_size")  # said by the resolution already
PROSE = ("reason", "device_state", "traceback")  # long: to the right of all numbers
KINDS = {"flop": "flop", "flop_executed": "flop", "params": "count", "top1": "percent"}
KINDS |= {"system_share": "percent"}
KINDS |= {"spread": "spread", "resolution": "resolution"}
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
    names = [name for name in rows.columns if name != RAW and _says_anything(rows[name])]
    asked = {"implementation", "resolution", *problem_columns(rows)}
    metric_units = {name: entry.unit for name, entry in METRICS.items()}
    return {
        "columns": [asdict(_column(rows, name, name in asked, metric_units.get(name))) for name in names],
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
    prose = [rows.pop(name) for name in PROSE]
    return rows.assign(
        **{str(words.name): words for words in prose},
        command=["" if command is None else command(row) for row in records],
    )


def _resolution(row: Mapping[Any, Any]) -> str:
    height, width = (row["image_size"],) * 2 if row["workload"] == "model" else (row["height"], row["width"])
    return f"{height:.0f}x{width:.0f}"


def _says_anything(values: pd.Series) -> bool:
    return bool((values.notna() & (values != "")).any())


def _column(rows: pd.DataFrame, name: str, asked: bool, unit: str | None) -> Column:
    """Shown at first is what was measured, and what of the question differs among cases of a workload."""
    alike = [rows] if name == "workload" else [cases for _, cases in rows.groupby("workload")]
    differs = asked and name not in SIDES and any(cases[name].nunique() > 1 for cases in alike)
    return Column(name, _head(name, unit), _kind(rows[name], unit), asked, differs or name in SHOWN)


def _head(name: str, unit: str | None) -> str:
    words = HEADS.get(name, name.removesuffix("_s").replace("_", " "))
    return words if unit in (None, "x") else f"{words} [{unit}]"


def _kind(values: pd.Series, unit: str | None) -> str:
    """A function of the script that reads them; `unit` is that of a metric, None for any other column."""
    name = str(values.name)
    if name in KINDS:
        return KINDS[name]
    if not pd.api.types.is_numeric_dtype(values):
        return "word"
    if unit is not None:
        return "ratio" if unit == "x" else "number"
    return "seconds" if name.endswith("_s") else "bytes" if name.endswith("_bytes") else "number"


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: null for what is not known, no fraction on a whole number."""
    if isinstance(value, float):
        return None if not math.isfinite(value) else int(value) if value.is_integer() else value
    return "" if pd.isna(value) else str(value)
