"""What a network computes, counted from shapes alone: it is built and run on torch's meta device.

torch counts convolutions and products of matrices, a multiply-add as two. Halo attention is counted
by the formula of its problem instead, so that the figure is the same whatever computes it: over the
useful pairs of query and key for `flop`, over those the implementation forms for `flop_executed`. Of a
network as it was published (`original`) the latter is what torch counts.
"""

from functools import cache
from typing import Any

import torch
from timm.layers.halo_attn import HaloAttn
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from halobench.attention import AUTO, AUTO_ELSEWHERE
from halobench.attention import find as find_attention
from halobench.layer import HaloAttention
from halobench.models import swap
from halobench.models.swap import AS_PUBLISHED, UsedHaloAttn
from halobench.models.zoo import create
from halobench.problem import Problem
from halobench.record import Work

PASSES = {"inference": 1, "training": 3}  # a backward pass has two products for each of the forward pass
COUNTED = "haloed_blocked"  # products that torch counts, on any device


def work(  # noqa: PLR0913  what a model case says
    name: str, implementation: str, image_size: int, batch: int, direction: str, device: str = "cpu"
) -> Work:
    """Operations and parameters of a model case; `auto` is what it means on the device.

    Raises:
        AssertionError: the network does not take images of this size.
        RuntimeError: it needs data, not shapes alone.
    """
    if direction not in PASSES:
        raise ValueError(f"direction must be one of {', '.join(PASSES)}, not {direction!r}")
    total, cores, problems, params = _counted(name, implementation, image_size, batch)
    flop = total - cores + sum(problem.flop() for problem in problems)
    executed = total
    if implementation not in ("", AS_PUBLISHED):
        chosen = AUTO.get(device, AUTO_ELSEWHERE) if implementation == "auto" else implementation
        slots = find_attention(chosen).slots
        executed += sum(problem.flop(slots=slots(problem)) for problem in problems) - cores
    return Work(flop * PASSES[direction], executed * PASSES[direction], params=params)


def refusal(name: str, implementation: str, image_size: int, batch: int) -> str | None:
    """Why the network does not take such images, or None where it does or shapes alone can not tell."""
    try:
        _counted(name, implementation, image_size, batch)
    except AssertionError as error:
        return f"{name} takes no images of {image_size} px: {str(error) or 'its own assertion fails'}"
    except RuntimeError:
        return None
    return None


def problems(name: str, implementation: str, image_size: int, batch: int) -> list[Problem]:
    """What the network asks of halo attention, a problem a layer, in float32."""
    return _counted(name, implementation, image_size, batch)[2]


@cache
def _counted(
    name: str, implementation: str, image_size: int, batch: int
) -> tuple[int, int, list[Problem], int]:
    """Operations of the network, those within halo attention, what it was asked there; parameters."""
    with torch.device("meta"):
        network = create(name, implementation).eval()
        counts = _count(network, torch.empty(batch, 3, image_size, image_size))
    return *counts, sum(parameter.numel() for parameter in network.parameters())


def _count(network: nn.Module, images: Tensor) -> tuple[int, int, list[Problem]]:
    """Operations of the network, those within halo attention, and what it was asked there."""
    problems: dict[str, Problem] = {}

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        problems[names[layer]] = _problem(layer, inputs[0])

    names: dict[nn.Module, str] = {
        layer: f"{type(network).__name__}.{name}"
        for name, layer in network.named_modules()
        if isinstance(layer, HaloAttention | HaloAttn)
    }
    for layer in names:
        layer.register_forward_pre_hook(note)
        if isinstance(layer, HaloAttention | UsedHaloAttn):
            layer.implementation = COUNTED
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(images)
    counts = counter.get_flop_counts()
    cores = sum(_core(counts[name]) for name in problems)
    return counter.get_total_flops(), cores, list(problems.values())


def _core(counts: dict[Any, int]) -> int:
    """Of the operations of a layer those of attention itself: its projections are convolutions."""
    return sum(flop for operation, flop in counts.items() if operation is not torch.ops.aten.convolution)


def _problem(layer: Any, x: Tensor) -> Problem:
    """What a layer asks when it is given these maps."""
    if isinstance(layer, HaloAttn):
        return swap.problem(layer, x)
    batch, _, height, width = x.shape
    problem: Problem = layer.problem(height, width, batch)
    return problem
