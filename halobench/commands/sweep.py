"""The command `sweep`."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from halobench.errors import UsageError

Axis = str | None


def _axis(help_text: str) -> Any:
    return typer.Option(
        metavar="A,B,…",
        help=help_text,
        rich_help_panel="Axes: comma-separated lists that override the preset",
    )


def run(
    preset: Annotated[
        str | None,
        typer.Argument(help="A name of `halobench list`. Default: gpu with a CUDA device, else quick."),
    ] = None,
    implementation: Annotated[
        Axis, _axis("Implementations of attention, or all; original: a published model unchanged.")
    ] = None,
    resolution: Annotated[Axis, _axis("Size of the map: 64, or 64x48.")] = None,
    block: Annotated[Axis, _axis("Side of a block.")] = None,
    halo: Annotated[Axis, _axis("Positions around a block that its queries see.")] = None,
    stride: Annotated[Axis, _axis("Distance between queries; divides the block.")] = None,
    batch: Annotated[Axis, _axis("Batch size.")] = None,
    heads: Annotated[Axis, _axis("Heads.")] = None,
    dim: Annotated[Axis, _axis("Channels per head of queries and keys.")] = None,
    dim_v: Annotated[Axis, _axis("Channels per head of values. Default: as --dim.")] = None,
    dtype: Annotated[Axis, _axis("float32, float16, bfloat16, float64.")] = None,
    direction: Annotated[
        Axis, _axis("Attention: forward, forward_backward; models: inference, training.")
    ] = None,
    border: Annotated[
        Axis, _axis("Weight of what lies outside the map: mask (none), zero (keys of zero).")
    ] = None,
    position: Annotated[Axis, _axis("Relative positions: none, sum, split.")] = None,
    offset: Annotated[Axis, _axis("Offsets of relative positions: exact, compact.")] = None,
    scale: Annotated[Axis, _axis("Factor of q.k. Default: dim ** -0.5.")] = None,
    position_scale: Annotated[Axis, _axis("Factor of the relative logits.")] = None,
    layout: Annotated[Axis, _axis("Memory layout: bhyxd (attention only), channels_last, nchw.")] = None,
    model: Annotated[Axis, _axis("Models, by the names of `halobench list`.")] = None,
    image_size: Annotated[Axis, _axis("Side of the images, in pixels.")] = None,
    mode: Annotated[Axis, _axis("Models: eager, compiled.")] = None,
    device: Annotated[Axis, _axis("cpu, cuda.")] = None,
    threads: Annotated[Axis, _axis("Threads, on a CPU.")] = None,
    allocator: Annotated[Axis, _axis("State of the C allocator: steady, pooled, fresh.")] = None,
    workload: Annotated[str | None, typer.Option(help="Measure only attention, or only model.")] = None,
    spec: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Spec file (TOML) in place of a preset.")
    ] = None,
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
) -> int:
    """Plan, check, measure, store and report a sweep."""
    given = {name: value for name, value in locals().items() if value is not None and value is not False}
    from halobench.screens import sweep as screen

    axes = {name: given[name].split(",") for name in screen.AXES if name in given}
    run: dict[str, Any] = {name: given[name] for name in screen.SETTINGS if name in given}
    if no_autotune:
        run["autotune"] = "off"
    if resume is not None:
        if others := [name for name in given if name != "resume"]:
            raise UsageError(
                f"--resume goes on with what the run was begun with; {others[0]} cannot be given too"
            )
        return screen.resume(resume, sys.argv)
    wanted, name = screen.wanted(preset, spec, workload, axes, run)
    if plan:
        return screen.show_plan(wanted)
    folder = out or Path("out") / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
    return screen.sweep(wanted, folder, sys.argv)
