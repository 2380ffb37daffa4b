"""The command `explain`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from halobench.options import PluginFiles


def run(
    case: Annotated[
        str, typer.Argument(metavar="CASE", help="Id of the case, as `halobench sweep --plan` prints it.")
    ],
    seconds: Annotated[
        float, typer.Option(help="Sampling time of the case and of each module, in seconds.")
    ] = 0.2,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New folder for tables, figure and the profiler's trace."),
    ] = None,
    plugin: PluginFiles = None,
) -> int:
    """Show where one case spends time, memory and FLOPs: by stage, layer and operator."""
    from halobench.attention.implementation import load_files
    from halobench.screens import explain as screen

    load_files(plugin or [])
    return screen.show(case, out, seconds, sys.argv)
