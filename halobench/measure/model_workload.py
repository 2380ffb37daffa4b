"""A whole network on random images: inference, or a training step (forward, loss, backward, SGD)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from halobench.attention import check
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.case import ORIGINAL, ModelCase
from halobench.device import toolchain
from halobench.device.device import Device
from halobench.measure.workload import Judged, PreparedCase, Settings, first_call, shared
from halobench.models import flop_count, zoo
from halobench.results.record import Work

SETS = 3  # of images
REFERENCE = "haloed_blocked"  # in float64, what our own networks are compared with
AS_IT_IS = ("", ORIGINAL)
SLACK = 10  # times the largest error of the reference in the dtype: what layers amplify is left to chance
DIRECTIONS = {"inference": "forward", "training": "forward_backward"}  # of the attention inside
LEARNING_RATE = 1e-4  # small enough that random labels do not drive the weights away


def unsupported(case: ModelCase) -> str | None:
    what = case.model, case.implementation, case.image_size, case.batch
    reason = zoo.find(case.model).unsupported(case.implementation) or flop_count.refusal(*what)
    if case.mode == "compiled":
        reason = reason or toolchain.missing(case.device)
    if reason or case.implementation in AS_IT_IS:
        return reason
    entry, direction = IMPLEMENTATIONS[case.implementation], DIRECTIONS[case.direction]
    asked = (replace(problem, dtype=case.dtype) for problem in flop_count.counted(*what).problems)
    reasons = (entry.unsupported(problem, case.device, direction) for problem in asked)
    return next(filter(None, reasons), None)


def work(case: ModelCase) -> Work:
    """Empty for a network that shapes alone do not tell enough about: it can be measured all the same."""
    try:
        return flop_count.work(
            case.model, case.implementation, case.image_size, case.batch, case.direction, case.device
        )
    except RuntimeError:
        return Work()


def prepare(case: ModelCase, settings: Settings, device: Device) -> PreparedCase:
    it = _Network(case, settings, device)
    call: Callable[[], object] = it.step if case.direction == "training" else it.infer
    return PreparedCase(call=call, first=it.first, write=it.write, judge=it.judge, sets=SETS)


class _Network:
    """A network with its images, and what it must make of them."""

    def __init__(self, case: ModelCase, settings: Settings, device: Device) -> None:
        self.case, self.settings, self.device = case, settings, device
        self.model = network(case, settings.seed, case.implementation, getattr(torch, case.dtype))
        if case.mode == "compiled":
            self.model.compile()
        self.ring = [data(case, settings.seed + turn)[0] for turn in range(SETS)]
        self.images, labels = data(case, settings.seed)
        self.weights = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        self.infer = _inference(self.model, self.images)
        self.step = _training(self.model, self.images, labels)

    def write(self, turn: int) -> None:
        self.images.copy_(self.ring[turn])

    def first(self) -> tuple[float, Judged]:
        """Check in eval mode; for training, time the first step after that."""
        self.model.eval()
        logits: list[Tensor] = []
        seconds = first_call(lambda: logits.append(self.infer()), self.device)
        judged = self._judged(0, logits[0])
        if self.case.direction == "training" and not judged.wrong:
            self.model.train()
            seconds = first_call(self.step, self.device)
        return seconds, judged

    def judge(self, turn: int, result: Any) -> Judged:
        """Logits; of a step of training, which gives none, those of the first weights once more."""
        if self.case.direction == "inference":
            return self._judged(turn, result)
        self.model.load_state_dict(self.weights)
        self.model.eval()
        judged = self._judged(turn, self.infer())
        self.model.train()
        return judged

    def _judged(self, turn: int, logits: Tensor) -> Judged:
        """Judge ours against the same weights with the reference; what others publish is as it is."""
        if not torch.equal(self.images, self.ring[turn]):
            return Judged(wrong="it changes its images")
        if self.case.implementation in AS_IT_IS:
            return Judged(wrong="" if logits.isfinite().all() else "its logits are not finite")
        exact, bound = _known(self.case, self.settings)
        error = check.relative_error(logits, exact[turn])
        return Judged(error, "" if error <= bound else f"logits are off by {error:.2e}, allowed {bound:.2e}")


def foresee(case: ModelCase, settings: Settings) -> None:
    """Compute the logits that all cases of this problem are compared with, where that was not done before."""
    if case.implementation not in AS_IT_IS:
        _known(case, settings)


def network(case: ModelCase, seed: int, implementation: str, dtype: torch.dtype) -> nn.Module:
    """The same weights for the same seed, whatever the implementation."""
    torch.manual_seed(seed)
    model = zoo.create(case.model, implementation).to(case.device, dtype)
    return model.to(memory_format=_memory_format(case))


def data(case: ModelCase, seed: int) -> tuple[Tensor, Tensor]:
    """Images, normal, and labels."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(case.batch, 3, case.image_size, case.image_size, generator=generator)
    labels = torch.randint(1000, (case.batch,), generator=generator)
    images = images.to(case.device, getattr(torch, case.dtype), memory_format=_memory_format(case))
    return images, labels.to(case.device)


def _memory_format(case: ModelCase) -> torch.memory_format:
    return torch.channels_last if case.layout == "channels_last" else torch.contiguous_format


def _inference(model: nn.Module, images: Tensor) -> Callable[[], Tensor]:
    def call() -> Tensor:
        with torch.inference_mode():
            logits: Tensor = model(images)
            return logits

    return call


def _training(model: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], object]:
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9)

    def call() -> None:
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return call


def _known(case: ModelCase, settings: Settings) -> tuple[list[Tensor], float]:
    """Logits of each set of images in float64, and how far off those in the dtype of the case may be.

    Shared by all implementations.
    """

    def make() -> tuple[list[Tensor], float]:
        dtype = getattr(torch, case.dtype)
        exact, rounded = (_reference(case, settings, each) for each in (torch.float64, dtype))
        errors = [check.relative_error(x, known) for x, known in zip(rounded, exact, strict=True)]
        return exact, SLACK * check.largest(errors) + torch.finfo(dtype).eps

    what = case.model, case.batch, case.image_size, case.dtype, case.device, settings.seed
    return shared(settings, " ".join(map(str, what)), make)


def _reference(case: ModelCase, settings: Settings, dtype: torch.dtype) -> list[Tensor]:
    """Logits of each set of images."""
    model = network(case, settings.seed, _reference_of(case), dtype).eval()
    images = (data(case, settings.seed + turn)[0].to(dtype) for turn in range(SETS))
    return [_inference(model, each)().clone() for each in images]


def _reference_of(case: ModelCase) -> str:
    """timm's own attention where it takes such images."""
    published = zoo.find(case.model).implementation == ORIGINAL
    refused = published and flop_count.refusal(case.model, ORIGINAL, case.image_size, case.batch)
    return ORIGINAL if published and not refused else REFERENCE
