"""The command line: arguments to calls, results to exit codes; no decisions.

Exit codes: 0 fine; 1 something is wrong, crashed, failed, slower or bad; 2 bad use, said in one line; 70 a
bug, with its traceback; 130 interrupted.
"""

import sys
import time
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

from halobench.errors import UsageError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure halo attention and HaloNets: time, memory and FLOPs, with every figure traceable.",
)

INTERRUPTED = 130  # what typer makes of Ctrl-C
BUG = 70  # of `sysexits.h`: an internal error


def main() -> None:
    """Run a command; bad use is one line and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        _bad_use(error.format_message())
    except UsageError as error:
        _bad_use(str(error))
    except Exception:
        traceback.print_exc()
        sys.exit(BUG)
    if code == INTERRUPTED:
        print("interrupted; a sweep goes on with --resume DIR, accuracy with the same --out", file=sys.stderr)
    sys.exit(code or 0)


def _bad_use(message: str) -> NoReturn:
    if message:  # there is none where typer has shown the help
        print(f"halobench: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(2)


def _axis(help_text: str) -> Any:
    return typer.Option(
        metavar="A,B,…", help=help_text, rich_help_panel="Axes: comma lists, each replaces the preset's"
    )


Axis = str | None
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Default: out/<time>-<preset>.")]


@app.command("list")
def list_() -> None:
    """Implementations, models, metrics, reports and presets; what was left out, and why."""
    from halobench.commands import list

    list.show()


@app.command()
def check(
    implementation: Annotated[str, typer.Option(metavar="A,B,…", help="Names, or all.")] = "all",
    dtype: Annotated[str, typer.Option(metavar="A,B,…", help="Dtypes to try.")] = "float32,bfloat16",
    device: Annotated[str | None, typer.Option(help="cpu or cuda; default: the fastest there is.")] = None,
) -> int:
    """Every implementation against the oracle, outputs and gradients, on problems chosen to hurt."""
    from halobench.commands import check as checking

    return checking.show(implementation.split(","), dtype.split(","), device)


@app.command()
def sweep(
    preset: Annotated[
        str | None, typer.Argument(help="See `halobench list`; default: gpu, or quick without one.")
    ] = None,
    implementation: Annotated[Axis, _axis("Of attention; all, or original for published models.")] = None,
    resolution: Annotated[Axis, _axis("Of attention: 64 or 64x48.")] = None,
    block: Annotated[Axis, _axis("Of attention.")] = None,
    halo: Annotated[Axis, _axis("Of attention.")] = None,
    stride: Annotated[Axis, _axis("Of attention: divides the block.")] = None,
    batch: Annotated[Axis, _axis("Of both.")] = None,
    heads: Annotated[Axis, _axis("Of attention.")] = None,
    dim: Annotated[Axis, _axis("Of attention: channels a head of queries and keys.")] = None,
    dim_v: Annotated[Axis, _axis("Of attention: channels a head of values, if not dim.")] = None,
    dtype: Annotated[Axis, _axis("Of both: float32, float16, bfloat16, float64.")] = None,
    direction: Annotated[Axis, _axis("forward, forward_backward; inference, training.")] = None,
    border: Annotated[Axis, _axis("Of attention: mask, zero.")] = None,
    position: Annotated[Axis, _axis("Of attention: none, sum, split.")] = None,
    offset: Annotated[Axis, _axis("Of attention: exact, compact.")] = None,
    scale: Annotated[Axis, _axis("Of attention: of q.k, if not dim ** -0.5.")] = None,
    position_scale: Annotated[Axis, _axis("Of attention: of the relative logits.")] = None,
    layout: Annotated[Axis, _axis("bhyxd, channels_last, nchw; of models the last two.")] = None,
    model: Annotated[Axis, _axis("Names as `halobench list` has them.")] = None,
    image_size: Annotated[Axis, _axis("Of models: pixels a side.")] = None,
    mode: Annotated[Axis, _axis("Of models: eager, compiled.")] = None,
    device: Annotated[Axis, _axis("Of both: cpu, cuda.")] = None,
    threads: Annotated[Axis, _axis("Of both, on the CPU.")] = None,
    allocator: Annotated[Axis, _axis("Of both: steady, pooled, fresh; the state of the C allocator.")] = None,
    workload: Annotated[str | None, typer.Option(help="attention or model: drop the other.")] = None,
    spec: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file in place of a preset.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="List the cases and what is left out; measure nothing.")
    ] = False,
    out: Out = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Go on with an interrupted run.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Of samples a case.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds for all of a case.")] = None,
    replicates: Annotated[int | None, typer.Option(help="Processes a case, in interleaved rounds.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of inputs and order.")] = None,
    autotune: Annotated[
        str | None, typer.Option(help="Configurations of kernels: try, known or off.")
    ] = None,
    wait_policy: Annotated[
        str | None, typer.Option(help="How threads wait: bounded, passive, active, inherited.")
    ] = None,
    no_autotune: Annotated[bool, typer.Option("--no-autotune", help="As --autotune off.")] = False,
) -> int:
    """Plan, check, measure, store and report."""
    given = {name: value for name, value in locals().items() if value is not None and value is not False}
    from halobench.commands import sweep as sweeping_sweep

    axes = {name: given[name].split(",") for name in sweeping_sweep.AXES if name in given}
    run: dict[str, Any] = {name: given[name] for name in sweeping_sweep.SETTINGS if name in given}
    if no_autotune:
        run["autotune"] = "off"
    if resume is not None:
        if others := [name for name in given if name != "resume"]:
            raise UsageError(
                f"--resume goes on with what the run was begun with; {others[0]} can not be given too"
            )
        return sweeping_sweep.resume(resume, sys.argv)
    wanted, name = sweeping_sweep.wanted(preset, spec, workload, axes, run)
    if plan:
        return sweeping_sweep.show_plan(wanted)
    folder = out or Path("out") / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
    return sweeping_sweep.sweep(wanted, folder, sys.argv)


@app.command()
def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR…", help="Folders of runs; several are joined.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Default: the first folder, if it is the only one.")
    ] = None,
) -> int:
    """Tables, figures and the page again, from what is stored."""
    from halobench.commands import report as sweeping_report

    return sweeping_report.report_again(folders, out)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="A", help="Folder of the run that is the baseline.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Folder of the run that is judged.")],
    threshold: Annotated[
        float, typer.Option(help="The change that is let pass, as a fraction of the time.")
    ] = 0.05,
    everything: Annotated[bool, typer.Option("--all", help="Show every case, with the reason.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write every case to a new file.")
    ] = None,
) -> int:
    """Two stored runs, case by case: ratio, interval, verdict; exit code 1 if any got slower or broke."""
    from halobench.commands import compare as comparing

    return comparing.show(before, after, threshold, everything, out)


@app.command()
def models(
    model: Annotated[str | None, typer.Option(metavar="A,B,…", help="Only these; any of timm too.")] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write the table to a new file.")
    ] = None,
) -> int:
    """Parameters, FLOPs by three counters, activations and published accuracy of every listed model."""
    from halobench.commands import models as models_table

    return models_table.show(model.split(",") if model else None, csv)


@app.command()
def accuracy(
    model: Annotated[str, typer.Argument(help="As `halobench list` has it, or any other of timm.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Images in class folders.")],
    weights: Annotated[str, typer.Option(metavar="FILE", help="A checkpoint, or hub: those timm publishes.")],
    implementation: Annotated[
        str | None, typer.Option(help="Of the attention inside; default: the model's own.")
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(help="Pixels a side; default: what the model was published for.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Images at a time.")] = 64,
    dtype: Annotated[str, typer.Option(help="float32, float16, bfloat16, float64.")] = "float32",
    device: Annotated[str | None, typer.Option(help="cpu or cuda; default: the fastest there is.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that load images; default: one a core, 4 at most.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="A row an image; goes on where it was interrupted."),
    ] = None,
) -> int:
    """How often a network is right: top-1 and top-5 on images in class folders."""
    from halobench.commands import accuracy as accuracy_table

    return accuracy_table.show(
        model,
        data,
        weights=weights,
        implementation=implementation,
        image_size=image_size,
        batch=batch,
        dtype=dtype,
        device=device,
        workers=workers,
        out=out,
    )


@app.command()
def inspect(
    implementation: Annotated[str, typer.Option(help="One with kernels of Triton.")] = "triton_fused",
    problems: Annotated[
        str, typer.Option(help="standard, or all: blocks of the paper's family too.")
    ] = "standard",
    target: Annotated[
        str, typer.Option(metavar="A,B,…", help="Of sm_80, sm_90, sm_100, gfx942.")
    ] = "sm_80,sm_90,sm_100,gfx942",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write the table to a new file.")
    ] = None,
) -> int:
    """Triton kernels compiled without a GPU: registers, spills, instructions; exit code 1 if any spills."""
    from halobench.commands import inspect as inspecting

    return inspecting.show(implementation, problems, target.split(","), out)


@app.command()
def train(
    implementation: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="To compare; default: all that there are.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the recipe's.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Of each network; default: 3.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; default: the fastest there is.")] = None,
    recipe: Annotated[
        str, typer.Option(help="digits, or imagenet to try the paper's for some steps.")
    ] = "digits",
    model: Annotated[str | None, typer.Option(help="To try; default: halonet_h0.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="To try; default: 1.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Random images a step; default: 4.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Default: out/<time>-train.")] = None,
) -> int:
    """Small networks learn digits: the same curve with every implementation, accuracy over parameters."""
    from halobench.commands import train as training
    from halobench.training import recipe as recipes

    learn = {"implementation": implementation, "epochs": epochs, "seeds": seeds, "out": out}
    attempt = {"model": model, "steps": steps, "batch": batch}
    idle = attempt if recipe == "digits" else learn
    if others := [name for name, value in idle.items() if value is not None]:
        raise UsageError(f"--{others[0]} means nothing to --recipe {recipe}")
    if recipe != "digits":
        return training.try_out(recipe, model or "halonet_h0", steps or 1, batch or 4, device)
    asked = recipes.find(recipe, **({} if epochs is None else {"epochs": epochs}))
    names = implementation.split(",") if implementation else None
    folder = out or Path("out") / f"{time.strftime('%Y%m%d-%H%M%S')}-train"
    return training.show(names, asked, seeds or 3, device, folder)


@app.command()
def explain(
    case: Annotated[
        str, typer.Argument(metavar="CASE", help="Its id, as `halobench sweep --plan` prints it.")
    ],
    seconds: Annotated[float, typer.Option(help="Of samples, of the case and of each part.")] = 0.2,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A new folder: tables, figure, the profiler's trace.")
    ] = None,
) -> int:
    """Where one case spends time, memory and FLOPs: by stage, kind of layer, layer of attention, operator."""
    from halobench.commands import explain as explaining

    return explaining.show(case, out, seconds, sys.argv)


@app.command()
def doctor() -> int:
    """Is this machine fit to measure? Exit code 1 if anything is bad."""
    from halobench.commands import doctor as doctoring

    return doctoring.show()
