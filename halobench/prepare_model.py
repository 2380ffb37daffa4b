"""A whole network on random images: inference, or a training step (forward, loss, backward, SGD)."""

from collections.abc import Callable
from dataclasses import replace
from math import nan

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from halobench import check, toolchain
from halobench.attention import find
from halobench.check import SLACK, Verdict
from halobench.models import counting, zoo
from halobench.models.swap import AS_PUBLISHED
from halobench.prepare import Ready, Settings, first_call, shared
from halobench.problem import ModelCase
from halobench.record import Work

REFERENCE = "haloed_blocked"  # in float64, what our own networks are compared with
AS_IT_IS = ("", AS_PUBLISHED)
DIRECTIONS = {"inference": "forward", "training": "forward_backward"}  # of the attention inside
LEARNING_RATE = 1e-4  # small enough that random labels do not drive the weights away


def unsupported(case: ModelCase) -> str | None:
    what = case.model, case.implementation, case.image_size, case.batch
    reason = zoo.find(case.model).unsupported(case.implementation) or counting.refusal(*what)
    if case.mode == "compiled":
        reason = reason or toolchain.missing(case.device)
    if reason or case.implementation in AS_IT_IS:
        return reason
    entry, direction = find(case.implementation), DIRECTIONS[case.direction]
    asked = (replace(problem, dtype=case.dtype) for problem in counting.counted(*what).problems)
    reasons = (entry.unsupported(problem, case.device, direction) for problem in asked)
    return next(filter(None, reasons), None)


def work(case: ModelCase) -> Work:
    """Empty for a network that shapes alone do not tell enough about: it can be measured all the same."""
    try:
        return counting.work(
            case.model, case.implementation, case.image_size, case.batch, case.direction, case.device
        )
    except RuntimeError:
        return Work()


def prepare(case: ModelCase, settings: Settings) -> Ready:
    model = network(case, settings.seed, case.implementation, getattr(torch, case.dtype))
    if case.mode == "compiled":
        model.compile()
    images, labels = data(case, settings.seed)
    call = _inference(model, images) if case.direction == "inference" else _training(model, images, labels)

    def first() -> tuple[float, Verdict | None]:
        model.eval()
        logits: list[Tensor] = []
        seconds = first_call(lambda: logits.append(_inference(model, images)()), case.device)
        verdict = _verdict(logits[0], case, settings)
        if case.direction == "training":
            model.train()
            seconds = first_call(call, case.device)
        return seconds, verdict

    return Ready(call, first)


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


def _verdict(logits: Tensor, case: ModelCase, settings: Settings) -> Verdict | None:
    """With ours inside: against the same weights with the reference; what others publish is as it is."""
    if case.implementation in AS_IT_IS:
        finite = logits.isfinite().all()
        return None if finite else Verdict({"logits": nan}, {"logits": torch.finfo(logits.dtype).eps})
    exact, bound = _reference(case, settings)
    return Verdict({"logits": check.relative_error(logits, exact)}, {"logits": bound})


def _reference(case: ModelCase, settings: Settings) -> tuple[Tensor, float]:
    """Logits in float64, and how far those of the case's dtype may be off: shared by all implementations."""

    def make() -> tuple[Tensor, float]:
        images, _ = data(case, settings.seed)
        exact, rounded = (
            _inference(network(case, settings.seed, _reference_of(case), dtype).eval(), images.to(dtype))()
            for dtype in (torch.float64, images.dtype)
        )
        bound = SLACK * check.relative_error(rounded, exact) + torch.finfo(images.dtype).eps
        return exact.clone(), bound

    what = case.model, case.batch, case.image_size, case.dtype, case.device, settings.seed
    return shared(settings, " ".join(map(str, what)), make)


def _reference_of(case: ModelCase) -> str:
    """timm's own attention where it takes such images."""
    published = zoo.find(case.model).implementation == AS_PUBLISHED
    refused = published and counting.refusal(case.model, AS_PUBLISHED, case.image_size, case.batch)
    return AS_PUBLISHED if published and not refused else REFERENCE
