"""The command `compare`."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    before: Annotated[Path, typer.Argument(metavar="A", help="Folder of the baseline run.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Folder of the run to judge.")],
    threshold: Annotated[float, typer.Option(help="Change to ignore, as a fraction of the time.")] = 0.05,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every case, with the reason for its verdict.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write every case to a new file.")
    ] = None,
) -> int:
    """Compare two stored runs case by case; exit code 1 if anything became slower or broke."""
    from halobench.screens import compare as screen

    return screen.show(before, after, threshold, everything, out)
