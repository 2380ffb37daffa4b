"""The command that measures one case again, and nothing else."""

import shlex
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from halobench import axes
from halobench.axes import Axis
from halobench.results.folder import read_environment, run_names
from halobench.sweep.session import settings_of
from halobench.sweep.spec import RunSettings

PRESET = "smoke"  # has one grid of each workload; every axis of it is replaced


def command(row: Mapping[str, Any], settings: RunSettings, files: Iterable[str] = ()) -> str:
    """Return the line for a shell that measures a row of the frame again, with plug-ins of these files."""
    words = ["halobench", "sweep", PRESET, "--workload", row["workload"]]
    values = {axis.name: _value(row, axis) for axis in axes.of(row["workload"])}
    for name, value in (values | settings.model_dump()).items():
        if value != "":
            words += [f"--{name.replace('_', '-')}", _word(value)]
    return shlex.join([*words, *(word for file in files for word in ("--plugin", file))])


def repeating(folders: Iterable[Path]) -> Callable[[Mapping[Any, Any]], str]:
    """Return what gives the command of a row of these runs' frame, with the settings of the run it is of."""
    by_name = run_names(folders)
    settings = cache(lambda run: settings_of(by_name[run]))
    files = cache(lambda run: tuple(read_environment(by_name[run]).get("plugin_files", ())))
    return lambda row: command(row, settings(row["run"]), files(row["run"]))


def _value(row: Mapping[str, Any], axis: Axis) -> Any:
    """Empty where the case is made without: nothing is attended by, or no scale was asked for."""
    if axis.name == "resolution":
        return axis.said(row)
    if axis.name == "scale" and "/scale=" not in row["case"]:  # the frame has the one that was used
        return ""
    (field,) = axis.fields
    return row[field]


def _word(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
