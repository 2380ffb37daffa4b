"""The command `train`: networks learn digits, and what came of it; or a recipe is tried for some steps."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any

import pandas as pd
import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from halobench import attention, learned, learning, plugins, recipe, report, text
from halobench.attention import ATTENTIONS
from halobench.environment import environment
from halobench.learned import Cells
from halobench.learning import Images, Learner, Run
from halobench.models import zoo
from halobench.models.halonet import Configuration
from halobench.progress import console, say_left_out
from halobench.recipe import Recipe
from halobench.report import REPORTS
from halobench.sweep import devices, usable

SMALL = Configuration(  # maps of 8 x 8 in both stages; the second asks every second query
    block=4, halo=1, image_size=32, width=16, depths=(1, 1), heads=(2, 4), out_ratio=2.0, stem_width=16
)
WIDTHS = (16, 8, 32)
WINDOWS = ((2, 1), (4, 0), (4, 2), (8, 0))  # blocks and halos beside those of `SMALL`; the last is global
AGREE = 1e-9  # of losses in float64: implementations that differ by more do not compute the same

# Guesses to plan by, of one core of an AMD EPYC: seconds an epoch, and before the first.
EPOCH_S = {"float32": 1.0, "float64": 2.2}
FACTOR = {"unfold_local": 4.0, "": 0.45}
COMPILE_S = {"haloed_compiled": 50.0}

Row = dict[str, Any]


def show(names: Sequence[str] | None, asked: Recipe, seeds: int, device: str | None, out: Path) -> int:
    """Train, print, and write a new folder; 1 if implementations come apart in float64."""
    if out.exists():
        raise FileExistsError(f"{out} exists already; choose another --out")
    screen, device = console(), usable(device or devices()[0])
    data = learning.digits(SMALL.image_size)
    say_left_out(plugins.load_all(attention.GROUP) | plugins.load_all(report.GROUP))
    chosen = [attention.find(name).name for name in names or report.ordered(ATTENTIONS)]
    runs = plan(chosen, seeds, device)
    took = text.seconds(sum(estimate(run, asked) for run in runs))
    screen.print(f"{len(runs)} runs of {asked.epochs} epochs, about {took}; into {out}")
    out.mkdir(parents=True)
    (out / "environment.json").write_text(json.dumps(environment(sys.argv), indent=2), encoding="utf-8")
    frame = pd.DataFrame(_stored(_watched(runs, asked, data, screen), out / "curves.csv"))
    for cells in write(frame, attention.resolved("auto", device), out):
        screen.print(_table(cells))
    return int(learned.furthest(frame, "float64") > AGREE)


def networks() -> dict[str, Configuration]:
    """By name: `SMALL` and other widths of it, other windows, and the widths with convolution."""
    wide = [replace(SMALL, width=width, stem_width=width) for width in WIDTHS]
    windows = [replace(SMALL, block=block, halo=halo) for block, halo in WINDOWS]
    named = {f"halonet_w{row.width}_b{row.block}_h{row.halo}": row for row in (*wide, *windows)}
    return named | {f"convolution_w{row.width}": learning.convolutional(row) for row in wide}


def plan(names: Sequence[str], seeds: int, device: str) -> list[Run]:
    """The first network with each implementation in each dtype; then every network, with what `auto` is."""
    rows, auto = networks(), attention.resolved("auto", device)
    first, row = next(iter(rows.items()))
    same = [Run(first, row, name, 0, dtype, device) for dtype in EPOCH_S for name in names]
    every = [
        Run(name, row, "" if row.convolutions else auto, seed, "float32", device)
        for seed in range(seeds)
        for name, row in rows.items()
    ]
    return list(dict.fromkeys([*same, *every]))


def estimate(run: Run, asked: Recipe) -> float:
    """Seconds."""
    if learning.unsupported(run, asked.batch):
        return 0.0
    epoch_s = EPOCH_S[run.dtype] * FACTOR.get(run.implementation, 1.0) * (1 + run.row.width / 16) / 2
    return COMPILE_S.get(run.implementation, 0.0) + asked.epochs * epoch_s


def rows(run: Run, asked: Recipe, data: tuple[Images, Images]) -> Iterator[Row]:
    """An epoch each; a single one with the reason of what can not be trained."""
    network = run.row
    window = {"block": network.block, "halo": network.halo} if run.implementation else {}
    known: Row = dict.fromkeys(learned.CURVES) | window
    known |= {name: getattr(run, name) for name in ("model", "implementation", "seed", "dtype", "device")}
    known |= {"run": run.id, "width": network.width, "image_size": network.image_size}
    known |= {"params": learning.params(network), "tested": len(data[1][1])}
    if reason := learning.unsupported(run, asked.batch):
        yield known | {"reason": reason}
        return
    for number, (losses, right, seconds) in enumerate(learning.train(run, asked, data), start=1):
        found = {"epoch": number, "loss": mean(losses), "losses": losses, "seconds": seconds}
        yield known | found | {"accuracy": right / known["tested"]}


def write(frame: pd.DataFrame, implementation: str, out: Path) -> list[Cells]:
    """Points, figures and tables into the folder; the tables."""
    points = learned.points(frame, implementation)
    points[learned.PUBLISHED].to_csv(out / "points.csv", index=False)
    tables = [learned.compared_table(learned.compared(frame)), learned.points_table(points)]
    report.save("learning", "\n".join(map(learned.markdown, tables)), out)
    report.save("learning_curves", learned.curves(frame), out)
    report.save("accuracy_over_params", REPORTS["accuracy_over_params"](points[learned.PUBLISHED]), out)
    return tables


def try_out(name: str, model: str, steps: int, batch: int, device: str | None) -> int:
    """Print steps of a recipe, its learning rates as they are, on batches of this size of random images."""
    asked, known, screen = recipe.find(name), recipe.known(name), console()
    device, size = usable(device or devices()[0]), zoo.find(model).image_size
    torch.manual_seed(0)
    learner = Learner(zoo.create(model).to(device), asked, known["images"] // asked.batch)
    screen.print(f"{known['about']} ({known['source']})", soft_wrap=True)
    screen.print(f"not given there: {', '.join(known['not_given'])}", soft_wrap=True)
    for number in range(1, steps + 1):
        images = torch.randn(batch, 3, size, size, device=device)
        labels = torch.randint(1000, (batch,), device=device)
        start, rate = perf_counter(), learner.rate
        loss = learner.step(images, labels)
        took = text.seconds(perf_counter() - start)
        screen.print(f"step {number}: loss {loss:.4f}, learning rate {rate:.6f}, {took}")
    return 0


def _watched(
    runs: Sequence[Run], asked: Recipe, data: tuple[Images, Images], screen: Console
) -> Iterator[Row]:
    """Pass rows on; a line a run."""
    with Progress(console=screen, disable=not screen.is_terminal) as progress:
        task = progress.add_task("training", total=len(runs) * asked.epochs)
        for number, run in enumerate(runs, start=1):
            for row in rows(run, asked, data):
                yield row
                progress.advance(task)
            result = row["reason"] or f"{text.percent(row['accuracy'])} after {row['epoch']} epochs"
            screen.print(f"[{number}/{len(runs)}] {run.id}: {result}", soft_wrap=True)
            progress.update(task, completed=number * asked.epochs)


def _stored(found: Iterable[Row], path: Path) -> Iterator[Row]:
    """Pass rows on, each written at once."""
    with path.open("x", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, learned.CURVES)
        writer.writeheader()
        for row in found:
            writer.writerow(row)
            file.flush()
            yield row


def _table(cells: Cells) -> Table:
    header, *lines = cells
    shown = Table()
    for place, words in enumerate(header):
        shown.add_column(words, justify="right" if place else "left")
    for line in lines:
        shown.add_row(*map(Text, line))
    return shown
