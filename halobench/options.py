"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

PluginFiles = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="File that registers implementations of yours; may be repeated."),
]
