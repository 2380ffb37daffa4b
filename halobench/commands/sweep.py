"""The command `sweep`."""

import inspect
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from halobench.axes import AXES
from halobench.errors import UsageError
from halobench.options import PluginFiles

PANEL = "Axes: comma-separated lists that override the preset"


def with_axes(run: Callable[..., int]) -> Callable[..., int]:
    """Give a command an option for each axis, which it takes as further keywords."""
    own = [each for each in inspect.signature(run).parameters.values() if each.kind is not each.VAR_KEYWORD]
    options = [
        inspect.Parameter(
            axis.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                str | None, typer.Option(metavar="A,B,…", help=axis.help, rich_help_panel=PANEL)
            ],
        )
        for axis in sorted(AXES, key=lambda axis: axis.name != "implementation")  # what is asked for most
    ]
    run.__dict__["__signature__"] = inspect.Signature([*own, *options])  # what typer reads
    run.__annotations__ = {each.name: each.annotation for each in (*own, *options)}
    return run


@with_axes
def run(
    preset: Annotated[
        str | None,
        typer.Argument(help="A name of `halobench list`. Default: gpu with a CUDA device, else quick."),
    ] = None,
    *,
    workload: Annotated[str | None, typer.Option(help="Measure only attention, or only model.")] = None,
    spec: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Spec file (TOML) in place of a preset.")
    ] = None,
    plugin: PluginFiles = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="List the cases and what is left out, and measure nothing.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write to. Default: out/<time>-<preset>.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Continue an interrupted run.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Sampling time per case, in seconds.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Time limit per case, in seconds.")] = None,
    replicates: Annotated[int | None, typer.Option(help="Processes per case, in interleaved rounds.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the inputs and of the order.")] = None,
    autotune: Annotated[str | None, typer.Option(help="Kernel configurations: try, known, off.")] = None,
    wait_policy: Annotated[
        str | None, typer.Option(help="How threads wait for each other: bounded, passive, active, inherited.")
    ] = None,
    no_autotune: Annotated[bool, typer.Option("--no-autotune", help="The same as --autotune off.")] = False,
    **axes: str | None,
) -> int:
    """Plan, check, measure, store and report a sweep."""
    options = {name: value for name, value in locals().items() if name != "axes"} | axes
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    from halobench.attention.implementation import load_files
    from halobench.screens import sweep as screen

    lists = {
        name: [value.strip() for value in values.split(",")]
        for name, values in axes.items()
        if values is not None
    }
    settings: dict[str, Any] = {name: given[name] for name in screen.SETTINGS if name in given}
    if no_autotune:
        settings["autotune"] = "off"
    if resume is not None:
        if others := [name for name in given if name != "resume"]:
            raise UsageError(
                f"--resume goes on with what the run was begun with; {others[0]} cannot be given too"
            )
        return screen.resume(resume, sys.argv)
    load_files(plugin or [])
    wanted, name = screen.wanted(preset, spec, workload, lists, settings)
    if plan:
        return screen.show_plan(wanted)
    folder = out or Path("out") / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
    return screen.sweep(wanted, folder, sys.argv)
