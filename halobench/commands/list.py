"""The command `list`."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    plugin: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="File that registers implementations of yours; may be repeated."),
    ] = None,
) -> None:
    """List implementations, models, metrics, reports and presets, and what was left out and why."""
    from halobench.attention.implementation import load_files
    from halobench.screens import list as screen

    load_files(plugin or [])
    screen.show()
