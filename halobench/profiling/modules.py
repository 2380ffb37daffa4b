"""What the parts of a network cost: each stage and each layer by itself, on the maps that it is given there.

A forward pass goes through the network once. Where it comes to a part, that part alone is called again
and again, as a case is: for its times, and once more for its memory.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from halobench.case import ModelCase
from halobench.device.clock import Call, Clock
from halobench.device.device import Device
from halobench.device.device import device as device_of
from halobench.errors import UsageError
from halobench.measure import model_workload
from halobench.measure.sampling import sample
from halobench.measure.workload import Settings
from halobench.models import flop_count

STAGES = ("stages", "layers", "blocks", "features")  # containers, as networks name them
KINDS: dict[str, tuple[type[nn.Module], ...]] = {
    "convolution": (nn.Conv1d, nn.Conv2d, nn.Conv3d),
    "linear": (nn.Linear,),
    "normalisation": (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm),
}
ATTENTION = re.compile(r"Att(ention|n)|Lambda")  # in the name of the class, its projections within
NO_ATTENTION = re.compile(r"Pool|Norm|Seq|Block|Stage")
REST = "the rest"

Key = tuple[str, str]  # of a part: name and kind


@dataclass(frozen=True)
class Part:
    """A module of the network; times and memory are those of one of its calls."""

    name: str
    kind: str  # stage, or that of a layer
    params: int
    flop: int  # of all its calls
    samples: tuple[float, ...] = ()
    peak_bytes: int = 0  # most live bytes beyond its inputs
    calls: int = 0

    @property
    def seconds(self) -> float:
        """The time of all its calls: their median times their number."""
        return median(self.samples) * self.calls


@dataclass
class _Pass:
    """One forward pass, which measures on its way."""

    parts: dict[Key, Part]
    keys: dict[nn.Module, list[Key]]  # a module can be a stage and a layer
    device: Device
    clock: Clock
    case: ModelCase
    settings: Settings
    busy: bool = False

    def before(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        """A hook; what is called while a part is measured is not looked at."""
        if self.busy:
            return
        self.busy = True
        first = self.parts[self.keys[module][0]]
        if not first.calls:
            call = _call(module, args, kwargs, training=self.case.direction == "training")
            first = replace(first, samples=self._times(call), peak_bytes=self._memory(call))
        for key in self.keys[module]:
            self.parts[key] = replace(
                self.parts[key], samples=first.samples, peak_bytes=first.peak_bytes, calls=first.calls + 1
            )
        self.busy = False

    def _times(self, call: Call) -> tuple[float, ...]:
        call()
        return tuple(one.device_s for one in sample(call, self.device, self.clock, self.settings.stop))

    def _memory(self, call: Call) -> int:
        return self.device.memory(call).peak_bytes


def measured(case: ModelCase, settings: Settings) -> list[Part]:
    """Stages, then layers, as the network holds them; a part that is never called is left out.

    Stages are the network's own modules, those in a container named as one of `STAGES` one by one. Layers
    are attention with its projections, convolutions, linear layers and normalisation outside of attention.

    Raises:
        UsageError: a compiled network, which has no parts any more.
    """
    must_have_parts(case)
    torch.set_num_threads(case.threads)
    network = model_workload.network(case, settings.seed, case.implementation, getattr(torch, case.dtype))
    network.train(case.direction == "training")
    images, _ = model_workload.data(case, settings.seed)
    flop = flop_count.counted(case.model, case.implementation, case.image_size, case.batch).modules
    passes = flop_count.PASSES[case.direction]
    found: dict[Key, Part] = {}
    keys: dict[nn.Module, list[Key]] = {}
    for name, kind, module in chain(stages(network), layers(network)):
        params = sum(parameter.numel() for parameter in module.parameters())
        found[name, kind] = Part(name, kind, params, flop.get(name, 0) * passes)
        keys.setdefault(module, []).append((name, kind))
    device = device_of(case.device)
    going = _Pass(found, keys, device, device.clocks()[0], case, settings)
    hooks = [module.register_forward_pre_hook(going.before, with_kwargs=True) for module in keys]
    with torch.inference_mode(case.direction == "inference"):
        network(images)
    for hook in hooks:
        hook.remove()
    return [part for part in found.values() if part.calls]


def must_have_parts(case: ModelCase) -> None:
    """UsageError for a compiled network."""
    if case.mode == "compiled":
        raise UsageError(f"{case.id}: a compiled network has no parts; ask for the eager one")


def stages(network: nn.Module) -> Iterator[tuple[str, str, nn.Module]]:
    """Name, kind and module."""
    for name, module in network.named_children():
        if name in STAGES and isinstance(module, nn.Sequential | nn.ModuleList):
            yield from ((f"{name}.{place}", "stage", stage) for place, stage in module.named_children())
        elif not isinstance(module, nn.Identity):
            yield name, "stage", module


def layers(module: nn.Module, name: str = "") -> Iterator[tuple[str, str, nn.Module]]:
    """Name, kind and module."""
    kind = kind_of(module)
    if kind != REST:
        yield name, kind, module
        return
    for child, inner in module.named_children():
        yield from layers(inner, f"{name}.{child}" if name else child)


def kind_of(module: nn.Module) -> str:
    """Attention, one of `KINDS`, or the rest."""
    for kind, types in KINDS.items():
        if isinstance(module, types):
            return kind
    words = type(module).__name__
    return "attention" if ATTENTION.search(words) and not NO_ATTENTION.search(words) else REST


def _call(module: nn.Module, args: Any, kwargs: Any, *, training: bool) -> Call:
    """The module on these inputs; in training also the gradients of what it has and of what it was given."""
    if not training:
        return partial(module, *args, **kwargs)
    args = [_leaf(x) for x in args]
    kwargs = {name: _leaf(x) for name, x in kwargs.items()}
    given = [x for x in chain(args, kwargs.values()) if isinstance(x, Tensor) and x.requires_grad]
    learnt = [*given, *(parameter for parameter in module.parameters() if parameter.requires_grad)]

    def call() -> object:
        out = module(*args, **kwargs)
        if not learnt:
            return out
        return torch.autograd.grad(out, learnt, torch.ones_like(out), allow_unused=True)

    return call


def _leaf(x: Any) -> Any:
    return x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x
