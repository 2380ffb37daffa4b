"""The experiment of `train`: which networks learn digits with which implementation, and for how long."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

from halobench.attention.implementation import resolved
from halobench.models.halonet import Configuration
from halobench.training import analysis, trainer
from halobench.training.recipe import Recipe
from halobench.training.trainer import Images, Run

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


def networks() -> dict[str, Configuration]:
    """Return the networks by name: `SMALL`, its other widths and windows, and the widths with convolution."""
    wide = [replace(SMALL, width=width, stem_width=width) for width in WIDTHS]
    windows = [replace(SMALL, block=block, halo=halo) for block, halo in WINDOWS]
    named = {f"halonet_w{row.width}_b{row.block}_h{row.halo}": row for row in (*wide, *windows)}
    return named | {f"convolution_w{row.width}": trainer.convolutional(row) for row in wide}


def plan(names: Sequence[str], seeds: int, device: str) -> list[Run]:
    """The first network with each implementation in each dtype; then every network, with what `auto` is."""
    rows, auto = networks(), resolved("auto", device)
    first, row = next(iter(rows.items()))
    same = [Run(first, row, name, 0, dtype, device) for dtype in EPOCH_S for name in names]
    every = [
        Run(name, row, "" if row.convolutions else auto, seed, "float32", device)
        for seed in range(seeds)
        for name, row in rows.items()
    ]
    return list(dict.fromkeys([*same, *every]))


def estimate(run: Run, asked: Recipe) -> float:
    """Estimate how long a run takes, in seconds."""
    if trainer.unsupported(run, asked.batch):
        return 0.0
    epoch_s = EPOCH_S[run.dtype] * FACTOR.get(run.implementation, 1.0) * (1 + run.row.width / 16) / 2
    return COMPILE_S.get(run.implementation, 0.0) + asked.epochs * epoch_s


def rows(run: Run, asked: Recipe, data: tuple[Images, Images]) -> Iterator[Row]:
    """An epoch each; a single one with the reason of what cannot be trained."""
    network = run.row
    window = {"block": network.block, "halo": network.halo} if run.implementation else {}
    known: Row = dict.fromkeys(analysis.CURVES) | window
    known |= {name: getattr(run, name) for name in ("model", "implementation", "seed", "dtype", "device")}
    known |= {"run": run.id, "width": network.width, "image_size": network.image_size}
    known |= {"params": trainer.params(network), "tested": len(data[1][1])}
    if reason := trainer.unsupported(run, asked.batch):
        yield known | {"reason": reason}
        return
    for number, (losses, right, seconds) in enumerate(trainer.train(run, asked, data), start=1):
        found = {"epoch": number, "loss": mean(losses), "losses": losses, "seconds": seconds}
        yield known | found | {"accuracy": right / known["tested"]}
