"""The command `report`."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR…", help="Folders of runs; several are joined.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder to write to. Default: the run itself, if there is only one."
        ),
    ] = None,
) -> int:
    """Write tables, figures and the page again, from what is stored."""
    from halobench.screens import report as screen

    return screen.report_again(folders, out)
