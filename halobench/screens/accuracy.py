"""The command `accuracy`: evaluate a network, keep a row an image, and print how often it is right."""

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table
from scipy.stats import binomtest
from timm.data.config import resolve_data_config
from torch import nn
from torch.utils.data import DataLoader, Subset

from halobench import units
from halobench.attention.implementation import resolved
from halobench.attention.problem import CHOICES
from halobench.case import ModelCase
from halobench.console import console
from halobench.device.device import devices, usable
from halobench.errors import UsageError
from halobench.measure import model_workload
from halobench.models import evaluation, zoo
from halobench.models.evaluation import Row
from halobench.models.evaluation_log import Settings, append, stored
from halobench.results.published import best, cited

CLASSES = 1000  # of the paper's networks; timm's say theirs
WORKERS = 4  # as timm has
TOLD = 10  # times that it is said how far it is, where there is no terminal


def show(  # noqa: PLR0913  an option is an argument
    model: str,
    data: Path,
    *,
    weights: str,
    implementation: str | None,
    image_size: int | None,
    batch: int,
    dtype: str,
    device: str | None,
    workers: int | None,
    out: Path | None,
) -> int:
    """Print top-1 and top-5, each with its 95 % interval, beside what is published.

    Args:
        model: a name of `halobench list`, or any other of timm.
        data: a folder of class folders, see `accuracy.labelled`.
        weights: a file, or `hub`, see `accuracy.load`.
        implementation: of the attention inside; the model's own if not given.
        image_size: pixels a side; what the model was published for if not given.
        batch: images at a time.
        dtype: of the network and the images.
        device: cpu or cuda; the fastest there is if not given.
        workers: processes that load images, 0 for none but this one; a core each, 4 at most, if not given.
        out: a CSV file, a row an image; what it has already is not evaluated again.

    Raises:
        UsageError: with what was given and what is allowed.
    """
    place = usable(device or devices()[0])
    case = _case(zoo.find(model), implementation, image_size, batch=batch, dtype=dtype, device=place)
    network = zoo.create(model, case.implementation)
    preprocessing = _preprocessing(network, case.image_size)
    dataset = evaluation.folder(data, preprocessing)
    classes = getattr(network, "num_classes", CLASSES)
    images = evaluation.labelled(dataset, classes)
    evaluation.load(network, model, weights)
    settings = Settings(
        model=model,
        implementation=case.implementation,
        weights=evaluation.on_hub(model) if weights == evaluation.HUB else Path(weights).name,
        sha256=evaluation.digest(network),
        dtype=dtype,
        device=place,
        preprocessing=preprocessing,
        data=str(data.resolve()),
        images=len(images),
    )
    rows = stored(out, settings, images) if out else []
    network.eval().to(place, getattr(torch, dtype))
    workers = min(WORKERS, len(os.sched_getaffinity(0))) if workers is None else workers
    batches = DataLoader(Subset(dataset, range(len(rows), len(images))), batch, num_workers=workers)
    screen = console()
    for name, value in (asdict(settings) | {"evaluated before": len(rows)}).items():
        screen.print(f"{name}: {value or units.NOTHING}", soft_wrap=True)
    parts = evaluation.evaluated(network, batches, images[len(rows) :])
    try:
        for part in _watched(parts, len(batches), screen):
            rows += part
            if out:
                append(out, part)
    except KeyboardInterrupt:
        kept = f"what was evaluated is in {out}, and the same command goes on" if out else "nothing is kept"
        print(f"interrupted; {kept}", file=sys.stderr)
        raise
    _print(settings, rows, classes, screen)
    return 0


def _case(model: zoo.Model, implementation: str | None, image_size: int | None, **how: Any) -> ModelCase:
    """The model's own where nothing is given, and what `auto` means; UsageError for what cannot be done."""
    inside = model.implementation if implementation is None else implementation
    case = ModelCase(
        model=model.name,
        implementation=resolved(inside, how["device"]),
        direction="inference",
        image_size=model.image_size if image_size is None else image_size,
        **how,
    )
    if case.dtype not in CHOICES["dtype"]:
        raise UsageError(f"dtype: {case.dtype!r} must be one of {', '.join(CHOICES['dtype'])}")
    if reason := model_workload.unsupported(case):
        raise UsageError(reason)
    return case


def _preprocessing(network: nn.Module, image_size: int) -> dict[str, Any]:
    """Return timm's preprocessing; at the test image size of a network, timm's for the test."""
    tested = getattr(network, "pretrained_cfg", {}).get("test_input_size")
    as_tested = tested is not None and tested[-1] == image_size
    size = {"input_size": (3, image_size, image_size)}
    found: dict[str, Any] = resolve_data_config(size, model=network, use_test_size=as_tested)
    return found


def _watched(parts: Iterator[list[Row]], total: int, screen: Console) -> Iterator[list[Row]]:
    """Pass batches on: with a bar on a terminal, a line every now and then elsewhere."""
    hidden = not screen.is_terminal
    shown = track(parts, "evaluating", total, console=screen, transient=True, disable=hidden)
    for done, part in enumerate(shown, start=1):
        yield part
        if hidden and done * TOLD // total > (done - 1) * TOLD // total:
            screen.print(f"[{done}/{total}] batches evaluated", soft_wrap=True)


def _print(settings: Settings, rows: list[Row], classes: int, screen: Console) -> None:
    known, source = _published(settings)
    names = "right", "accuracy", "95 % interval", "published"
    table = Table("", *(Column(name, justify="right") for name in names))
    table.add_row("top-1", *_cells(rows, 1), units.percent(known) + (" [1]" if source else ""))
    table.add_row("top-5", *_cells(rows, 5) if classes >= 5 else [units.NOTHING] * 3, units.NOTHING)
    screen.print(table)
    if source:
        screen.print(f"[1] {source}", soft_wrap=True)


def _cells(rows: list[Row], places: int) -> list[str]:
    """How many have their class among so many best logits: count, fraction and its Wilson interval."""
    right = sum(row.rank <= places for row in rows)
    low, high = binomtest(right, len(rows)).proportion_ci(method="wilson")
    interval = f"{units.percent(low)} to {units.percent(high)}"
    return [f"{right} of {len(rows)}", units.percent(right / len(rows)), interval]


def _published(settings: Settings) -> tuple[float | None, str]:
    """Top-1 that others found with such images; with which weights, and where that is written.

    With weights of the hub it is that of these weights alone. What a file holds is not known.
    """
    hub = settings.weights.startswith(zoo.TIMM)
    row = best(settings.weights if hub else settings.model, settings.preprocessing["input_size"][-1])
    if row is None:
        return None, ""
    cite = cited(f"{row['label']}: {row['source']}", row["verified"])
    return row["top1"], cite if hub else f"{cite}; {settings.weights} may hold other weights"
