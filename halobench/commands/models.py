"""The command `models`."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    model: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Only these models; any model of timm too.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write the table to a new file.")
    ] = None,
) -> int:
    """Count parameters, FLOPs and activations of every listed model, beside what is published."""
    from halobench.screens import models as screen

    return screen.show(model.split(",") if model else None, out)
