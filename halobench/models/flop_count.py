"""What a network computes, counted from shapes alone: it is built and run on torch's meta device.

torch counts convolutions and products of matrices, a multiply-add as two. Halo attention is counted
by the formula of its problem instead, so that the figure is the same whatever computes it: over the
useful pairs of query and key for `flop`, over those the implementation forms for `flop_executed`. Of a
network as it was published (`original`) the latter is what torch counts.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from timm.layers.halo_attn import HaloAttn
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from halobench.attention.implementation import IMPLEMENTATIONS, resolved
from halobench.attention.layer import HaloAttention
from halobench.attention.problem import Problem
from halobench.case import ORIGINAL
from halobench.models import swap
from halobench.models.swap import UsedHaloAttn
from halobench.models.zoo import create
from halobench.results.record import Work

PASSES = {"inference": 1, "training": 3}  # a backward pass has two products for each of the forward pass
COUNTED = "haloed_blocked"  # products that torch counts, on any device
WHOLE = ""  # the name of a network among its modules


@dataclass(frozen=True)
class FlopCount:
    """A network on a batch of images."""

    modules: dict[str, int]  # FLOP by name: of halo attention by the formula, else by torch
    by_torch: int  # FLOP
    by_torch_within: int  # halo attention
    activations: int  # elements that convolutions and products of matrices give
    problems: list[Problem]  # a halo layer each, in float32
    params: int

    @property
    def flop(self) -> int:
        """The operations of the whole network."""
        return self.modules[WHOLE]


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
    found = counted(name, implementation, image_size, batch)
    executed = found.by_torch
    if implementation not in ("", ORIGINAL):
        slots = IMPLEMENTATIONS[resolved(implementation, device)].slots
        executed += sum(problem.flop(slots=slots(problem)) for problem in found.problems)
        executed -= found.by_torch_within
    return Work(found.flop * PASSES[direction], executed * PASSES[direction], params=found.params)


def refusal(name: str, implementation: str, image_size: int, batch: int) -> str | None:
    """Why the network does not take such images, or None where it does or shapes alone cannot tell."""
    try:
        counted(name, implementation, image_size, batch)
    except AssertionError as error:
        return f"{name} takes no images of {image_size} px: {str(error) or 'its own assertion fails'}"
    except RuntimeError:
        return None
    return None


@cache
def counted(name: str, implementation: str, image_size: int, batch: int) -> FlopCount:
    """What a network has and does on such images; of ours as `haloed_blocked` does it.

    Raises:
        AssertionError: it does not take images of this size.
        RuntimeError: it needs data, not shapes alone.
    """
    with torch.device("meta"):
        network = create(name, implementation).eval()
        images = torch.empty(batch, 3, image_size, image_size)
    problems = record_problems(network)
    # With gradients: torch follows modules by them, and asserts that what a module is given can have one.
    with torch.enable_grad(), _Outputs() as outputs, FlopCounterMode(display=False) as counter:
        network(images)
    counts = _by_name(network, counter)
    within = {name: _core(counts[name]) for name in problems}
    own = {name: problem.flop() - within[name] for name, problem in problems.items()}
    modules = {
        name: sum(flop.values()) + sum(more for layer, more in own.items() if _is_in(layer, name))
        for name, flop in counts.items()
    }
    params = sum(parameter.numel() for parameter in network.parameters())
    asked = list(problems.values())
    by_torch = counter.get_total_flops()
    return FlopCount(modules, by_torch, sum(within.values()), outputs.elements, asked, params)


def _by_name(network: nn.Module, counter: FlopCounterMode) -> dict[str, dict[Any, int]]:
    """FLOP by operator of each module, in which there are any."""
    root = type(network).__name__
    named = {
        name.removeprefix(root).removeprefix("."): flop for name, flop in counter.get_flop_counts().items()
    }
    return named | {WHOLE: dict(named.pop("Global"))}


def _is_in(name: str, other: str) -> bool:
    """Whether a module is the other, or within."""
    return other == WHOLE or f"{name}.".startswith(f"{other}.")


class _Outputs(TorchDispatchMode):
    """Counts what the operators give that torch counts the FLOP of."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in flop_registry:
            self.elements += out.numel()
        return out


def record_problems(network: nn.Module) -> dict[str, Problem]:
    """Filled in by the next call, in which ours attend as `COUNTED`: each halo layer's problem, by name."""
    problems: dict[str, Problem] = {}

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        problems[names[layer]] = _problem(layer, inputs[0])

    names: dict[nn.Module, str] = {
        layer: name for name, layer in network.named_modules() if isinstance(layer, HaloAttention | HaloAttn)
    }
    for layer in names:
        layer.register_forward_pre_hook(note)
        if isinstance(layer, HaloAttention | UsedHaloAttn):
            layer.implementation = COUNTED
    return problems


def _core(counts: dict[Any, int]) -> int:
    """Return the operations of attention itself within a layer: its projections are convolutions."""
    return sum(flop for operation, flop in counts.items() if operation is not torch.ops.aten.convolution)


def _problem(layer: Any, x: Tensor) -> Problem:
    """What a layer asks when it is given these maps."""
    if isinstance(layer, HaloAttn):
        return swap.problem(layer, x)
    batch, _, height, width = x.shape
    problem: Problem = layer.problem(height, width, batch)
    return problem
