"""The command `train`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from halobench.errors import UsageError


def run(
    implementation: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Implementations to compare. Default: all.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs. Default: as in the recipe.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds per network. Default: 3.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda. Default: the fastest device.")] = None,
    recipe: Annotated[
        str, typer.Option(help="digits; or imagenet, to run some steps of the paper's recipe.")
    ] = "digits",
    model: Annotated[str | None, typer.Option(help="Model for the steps. Default: halonet_h0.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps to run. Default: 1.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Random images per step. Default: 4.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Default: out/<time>-train.")] = None,
) -> int:
    """Train small networks on digits: the same curve with every implementation, accuracy over parameters."""
    from halobench.screens import train as screen
    from halobench.training import recipe as recipes

    learn = {"implementation": implementation, "epochs": epochs, "seeds": seeds, "out": out}
    attempt = {"model": model, "steps": steps, "batch": batch}
    idle = attempt if recipe == "digits" else learn
    if others := [name for name, value in idle.items() if value is not None]:
        raise UsageError(f"--{others[0]} means nothing to --recipe {recipe}")
    if recipe != "digits":
        return screen.try_out(recipe, model or "halonet_h0", steps or 1, batch or 4, device)
    asked = recipes.find(recipe, **({} if epochs is None else {"epochs": epochs}))
    names = implementation.split(",") if implementation else None
    folder = out or Path("out") / f"{time.strftime('%Y%m%d-%H%M%S')}-train"
    return screen.show(names, asked, seeds or 3, device, folder)
