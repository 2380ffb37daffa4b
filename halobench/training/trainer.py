"""A network learns: what it is shown, and the loop. All that is drawn follows from a seed, on the CPU."""

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import perf_counter
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.attention.problem import Problem
from halobench.errors import UsageError
from halobench.models import flop_count
from halobench.models.halonet import Configuration, HaloNet
from halobench.training.recipe import Recipe

CLASSES = 10
SHIFT = 1  # pixels that an image is moved at most along each axis, to train with

Images = tuple[Tensor, Tensor]  # pixels `(image, 3, y, x)`, and what they show


@dataclass(frozen=True)
class Run:
    """A network that is trained once."""

    model: str  # what the network is called
    row: Configuration
    implementation: str  # of the attention inside; empty without
    seed: int
    dtype: str = "float32"
    device: str = "cpu"

    @property
    def id(self) -> str:
        """Text that names it."""
        return "/".join(filter(None, [self.model, self.implementation, self.dtype, f"seed{self.seed}"]))


class Epoch(NamedTuple):
    losses: list[float]  # of each step
    right: int  # test images, afterwards
    seconds: float  # the test included


class Learner:
    """A network, its optimizer, and how far it is in a recipe of so many steps an epoch."""

    def __init__(self, network: nn.Module, recipe: Recipe, steps: int) -> None:
        self.network, self.recipe, self.steps, self.done = network, recipe, steps, 0
        self.optimizer = torch.optim.SGD(
            network.parameters(),
            lr=self.rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=True,
        )

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self.recipe.rate(self.done, self.steps)

    def step(self, pixels: Tensor, labels: Tensor) -> float:
        """Learn from a batch; the loss before."""
        self.optimizer.param_groups[0]["lr"] = self.rate
        loss = F.cross_entropy(self.network(pixels), labels, label_smoothing=self.recipe.label_smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.done += 1
        return loss.item()


def train(run: Run, recipe: Recipe, data: tuple[Images, Images]) -> Iterator[Epoch]:
    """Epoch after epoch, on images to train with and others to test with."""
    (pixels, labels), (test_pixels, test_labels) = (_placed(images, run) for images in data)
    torch.manual_seed(run.seed)
    network = HaloNet(run.row, run.implementation, classes=CLASSES).to(pixels)
    generator = torch.Generator().manual_seed(run.seed)
    learner = Learner(network, recipe, len(labels) // recipe.batch)
    for _ in range(recipe.epochs):
        start = perf_counter()
        network.train()
        drawn = batches(pixels, labels, recipe.batch, generator)
        losses = [learner.step(*batch) for batch in drawn]
        right = int((_answers(network, test_pixels, recipe.batch) == test_labels).sum())
        yield Epoch(losses, right, perf_counter() - start)


def batches(pixels: Tensor, labels: Tensor, size: int, generator: torch.Generator) -> Iterator[Images]:
    """Yield whole batches, in an order and with shifts that are drawn."""
    order = torch.randperm(len(labels), generator=generator)
    for places in order.split(size)[: len(order) // size]:
        yield shifted(pixels[places], SHIFT, generator), labels[places]


def shifted(pixels: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Each image moved by up to so many pixels along each axis; what moves in repeats the edge."""
    height, width = pixels.shape[2:]
    views = F.pad(pixels, (most,) * 4, mode="replicate").unfold(2, height, 1).unfold(3, width, 1)
    y, x = torch.randint(2 * most + 1, (2, len(pixels)), generator=generator)
    return views[torch.arange(len(pixels)), :, y, x]


def digits(size: int) -> tuple[Images, Images]:
    """scikit-learn's, to train and to test with; UsageError where it is not installed."""
    try:
        from halobench.training.digits import train_and_test  # noqa: PLC0415  an extra, which may be missing
    except ModuleNotFoundError as missing:
        if not str(missing.name).startswith("sklearn"):
            raise
        raise UsageError("train needs scikit-learn: pip install 'halobench[train]'") from None
    return train_and_test(size)


def unsupported(run: Run, batch: int) -> str | None:
    """Why the implementation cannot train this network, or None."""
    asked = problems(run.row, batch, run.dtype)
    if not asked:
        return None
    entry = IMPLEMENTATIONS[run.implementation]
    reasons = (entry.unsupported(problem, run.device, "forward_backward") for problem in asked)
    return next(filter(None, reasons), None)


def problems(row: Configuration, batch: int, dtype: str) -> list[Problem]:
    """What the network asks of halo attention, a problem a layer."""
    with torch.device("meta"), torch.no_grad():
        network = HaloNet(row, flop_count.COUNTED, classes=CLASSES)
        asked = flop_count.record_problems(network)
        network(torch.empty(batch, 3, row.image_size, row.image_size))
    return [replace(problem, dtype=dtype) for problem in asked.values()]


def params(row: Configuration) -> int:
    """Count the parameters of the network with one class per digit."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in HaloNet(row, classes=CLASSES).parameters())


def convolutional(row: Configuration) -> Configuration:
    """The same network with 3x3 convolution in place of attention, as wide as brings its size nearest."""
    plain = replace(row, convolutions=len(row.depths))
    widest = row.width * 2 ** (len(row.depths) - 1)
    ratios = [channels / widest for channels in range(widest // row.width, widest + 1)]
    rows = [replace(plain, convolution_ratio=ratio) for ratio in ratios]
    above = bisect(rows, params(row), lo=1, hi=len(rows) - 1, key=params)
    return min(rows[above - 1 : above + 1], key=lambda other: abs(params(other) - params(row)))


def _placed(images: Images, run: Run) -> Images:
    pixels, labels = images
    return pixels.to(run.device, getattr(torch, run.dtype)), labels.to(run.device)


@torch.no_grad()
def _answers(network: nn.Module, pixels: Tensor, batch: int) -> Tensor:
    network.eval()
    return torch.cat([network(part).argmax(1) for part in pixels.split(batch)])
