"""The command `check`."""

from typing import Annotated

import typer

from halobench.options import PluginFiles


def run(
    implementation: Annotated[
        str, typer.Option(metavar="A,B,…", help="Implementations to check, or all.")
    ] = "all",
    dtype: Annotated[
        str, typer.Option(metavar="A,B,…", help="Dtypes to check them in.")
    ] = "float32,bfloat16",
    device: Annotated[str | None, typer.Option(help="cpu or cuda. Default: the fastest device.")] = None,
    plugin: PluginFiles = None,
) -> int:
    """Check every implementation against the oracle, outputs and gradients, on problems chosen to hurt."""
    from halobench.attention.implementation import load_files
    from halobench.screens import check as screen

    load_files(plugin or [])
    return screen.show(implementation.split(","), dtype.split(","), device)
