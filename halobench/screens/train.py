"""The command `train`: networks learn digits, and what came of it; or a recipe is tried for some steps."""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter

import pandas as pd
import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from halobench import units
from halobench.attention.implementation import IMPLEMENTATIONS, resolved
from halobench.console import console, say_left_out
from halobench.device.device import devices, usable
from halobench.errors import UsageError
from halobench.files import writable_folder
from halobench.models import zoo
from halobench.report import markdown, output, style
from halobench.report.contract import REPORTS
from halobench.report.markdown import Cells
from halobench.results.environment import environment
from halobench.results.folder import write_environment
from halobench.training import analysis, figure, recipe, trainer
from halobench.training.experiment import AGREE, SMALL, Row, estimate, plan, rows
from halobench.training.recipe import Recipe
from halobench.training.trainer import Images, Learner, Run


def show(names: Sequence[str] | None, asked: Recipe, seeds: int, device: str | None, out: Path) -> int:
    """Train, print, and write a new folder; 1 if implementations come apart in float64."""
    if out.exists():
        raise UsageError(f"{out} exists already; choose another --out")
    screen, device = console(), usable(device or devices()[0])
    data = trainer.digits(SMALL.image_size)
    say_left_out(IMPLEMENTATIONS.unavailable)
    chosen = [IMPLEMENTATIONS[name].name for name in names or style.ordered(IMPLEMENTATIONS)]
    runs = plan(chosen, seeds, device)
    took = units.seconds(sum(estimate(run, asked) for run in runs))
    screen.print(f"{len(runs)} runs of {asked.epochs} epochs, about {took}; into {out}")
    writable_folder(out)
    write_environment(out, environment(sys.argv))
    frame = pd.DataFrame(_stored(_watched(runs, asked, data, screen), out / "curves.csv"))
    for cells in write(frame, resolved("auto", device), out):
        screen.print(_table(cells))
    return int(analysis.furthest(frame, "float64") > AGREE)


def write(frame: pd.DataFrame, implementation: str, out: Path) -> list[Cells]:
    """Points, figures and tables into the folder; the tables."""
    points = analysis.points(frame, implementation)
    points[analysis.PUBLISHED].to_csv(out / "points.csv", index=False)
    tables = [analysis.compared_table(analysis.compared(frame)), analysis.points_table(points)]
    output.save("learning", "\n".join(markdown.table(cells[0], cells[1:], words=1) for cells in tables), out)
    output.save("learning_curves", figure.curves(frame), out)
    output.save("accuracy_over_params", REPORTS["accuracy_over_params"](points[analysis.PUBLISHED]), out)
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
        took = units.seconds(perf_counter() - start)
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
            result = row["reason"] or f"{units.percent(row['accuracy'])} after {row['epoch']} epochs"
            screen.print(f"[{number}/{len(runs)}] {run.id}: {result}", soft_wrap=True)
            progress.update(task, completed=number * asked.epochs)


def _stored(found: Iterable[Row], path: Path) -> Iterator[Row]:
    """Pass rows on, each written at once."""
    with path.open("x", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, analysis.CURVES)
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
