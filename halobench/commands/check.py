"""The command `check`."""

from typing import Annotated

import typer


def run(
    implementation: Annotated[
        str, typer.Option(metavar="A,B,…", help="Implementations to check, or all.")
    ] = "all",
    dtype: Annotated[
        str, typer.Option(metavar="A,B,…", help="Dtypes to check them in.")
    ] = "float32,bfloat16",
    device: Annotated[str | None, typer.Option(help="cpu or cuda. Default: the fastest device.")] = None,
) -> int:
    """Check every implementation against the oracle, outputs and gradients, on problems chosen to hurt."""
    from halobench.screens import check as screen

    return screen.show(implementation.split(","), dtype.split(","), device)
