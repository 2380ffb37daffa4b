"""The command `inspect`."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    implementation: Annotated[
        str, typer.Option(help="An implementation with Triton kernels.")
    ] = "triton_fused",
    problems: Annotated[
        str, typer.Option(help="standard, or all for the paper's block sizes too.")
    ] = "standard",
    target: Annotated[
        str, typer.Option(metavar="A,B,…", help="GPU targets, of sm_80, sm_90, sm_100, gfx942.")
    ] = "sm_80,sm_90,sm_100,gfx942",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write the table to a new file.")
    ] = None,
) -> int:
    """Compile the Triton kernels without a GPU: registers, spills, instructions, undefined registers."""
    from halobench.screens import inspect as screen

    return screen.show(implementation, problems, target.split(","), out)
