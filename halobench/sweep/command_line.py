"""The command that measures one case again, and nothing else."""

import shlex
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from halobench.sweep.session import settings_of
from halobench.sweep.spec import RunSettings

PRESET = "smoke"  # has one grid of each workload; every axis of it is replaced
AXES = {
    "attention": (
        *("implementation", "resolution", "block", "halo", "stride", "batch", "heads", "dim", "dim_v"),
        *("direction", "border", "position", "offset", "scale", "position_scale"),
        *("dtype", "layout", "device", "threads", "allocator"),
    ),
    "model": (
        *("model", "implementation", "image_size", "batch", "direction", "mode"),
        *("dtype", "layout", "device", "threads", "allocator"),
    ),
}


def command(row: Mapping[str, Any], settings: RunSettings) -> str:
    """Return the line for a shell that measures a row of the frame again."""
    words = ["halobench", "sweep", PRESET, "--workload", row["workload"]]
    axes = {name: _value(row, name) for name in AXES[row["workload"]]}
    for name, value in (axes | settings.model_dump()).items():
        if value != "":
            words += [f"--{name.replace('_', '-')}", _word(value)]
    return shlex.join(words)


def repeating(folders: Iterable[Path]) -> Callable[[Mapping[Any, Any]], str]:
    """Return what gives the command of a row of these runs' frame, with the settings of the run it is of."""
    by_name = {folder.resolve().name: folder for folder in folders}
    settings = cache(lambda run: settings_of(by_name[run]))
    return lambda row: command(row, settings(row["run"]))


def _value(row: Mapping[str, Any], axis: str) -> Any:
    """Empty where the case is made without: nothing is attended by, or no scale was asked for."""
    if axis == "resolution":
        return f"{row['height']:.0f}x{row['width']:.0f}"
    if axis == "scale" and "/scale=" not in row["case"]:  # the frame has the one that was used
        return ""
    return row["dim_qk" if axis == "dim" else axis]


def _word(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
