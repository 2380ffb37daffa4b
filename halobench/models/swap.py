"""timm's halo attention with any implementation inside: the same weights, the same outputs."""

import copy
import math
from functools import cache
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from timm.layers.halo_attn import HaloAttn
from torch import Tensor, nn

from halobench.attention.functional import attend_maps
from halobench.attention.implementation import load
from halobench.attention.layer import HaloAttention
from halobench.attention.problem import Problem
from halobench.case import ORIGINAL

KNOWN = "haloed_blocked"  # what ours are compared with
SLACK, LEAST = 3, 4  # times the error of timm's own in the same dtype, and epsilons: as `halobench check`

Network = TypeVar("Network", bound=nn.Module)


class UsedHaloAttn(HaloAttn):
    """timm's layer, its parameters untouched, with attention by `implementation`; maps may be of any size.

    Where it pools it rounds up, as the shortcut beside it does; on the maps that timm takes that is the same.
    """

    implementation: str
    published: type[HaloAttn] = HaloAttn  # what the layer was before

    def forward(self, x: Tensor) -> Tensor:
        q = self.q(x)
        position = self.pos_embed.height_rel.to(q.dtype), self.pos_embed.width_rel.to(q.dtype)
        out = attend_maps(q, self.kv(x), problem(self, x), position, self.implementation)
        if isinstance(self.pool, nn.AvgPool2d):
            return F.avg_pool2d(out, self.pool.kernel_size, self.pool.stride, ceil_mode=True)
        maps: Tensor = self.pool(out)
        return maps


@cache
def _used(published: Any) -> type[UsedHaloAttn]:
    """The class of a used layer: a subclass of timm's keeps what is its own, with ours beneath it."""
    if published is HaloAttn:
        return UsedHaloAttn
    return type(published.__name__, (published, UsedHaloAttn), {"published": published})


def use(model: Network, implementation: str, *, verify: bool = False) -> Network:
    """Replace the attention inside halo layers, timm's or ours, in place, and return the model.

    Weights, parameter names and outputs stay as they are; lambda and BoT layers are left alone.

    Args:
        model: any network with layers of timm's `HaloAttn`, or of `HaloAttention`.
        implementation: a name of `halobench list`, `auto`, or `original` for timm's own again.
        verify: compare each layer first, on random maps and weights, outputs and gradients: timm's with its
            own attention, ours with `haloed_blocked`. A fresh network shows nothing, since timm begins each
            residual branch with a gain of zero.

    Returns:
        The same object.

    Raises:
        ValueError: a model without such layers, or a layer that is not right; the model stays as it was.
        KeyError: an unknown implementation; the message lists the known.

    Example:
        >>> import timm
        >>> model = use(timm.create_model("halonet26t"), "haloed_blocked", verify=True)
        >>> model(torch.randn(1, 3, 256, 256)).shape
        torch.Size([1, 1000])
    """
    if implementation != ORIGINAL:
        load(implementation)
    kinds = HaloAttn if implementation == ORIGINAL else HaloAttn | HaloAttention
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, kinds)}
    if not layers:
        whose = " of timm" if implementation == ORIGINAL else ""
        raise ValueError(f"{type(model).__name__} has no halo attention{whose} inside")
    if verify and implementation != ORIGINAL:
        for name, layer in layers.items():
            _must_be_right(layer, implementation, name)
    for layer in layers.values():
        _attend_by(layer, implementation)
    return model


def _attend_by(layer: HaloAttn | HaloAttention, implementation: str) -> None:
    """Of timm's layer the class is changed, not the module: names of parameters and hooks stay."""
    if isinstance(layer, HaloAttention):
        layer.implementation = implementation
        return
    published: Any = layer.published if isinstance(layer, UsedHaloAttn) else type(layer)
    if implementation == ORIGINAL:
        layer.__class__ = published
        vars(layer).pop("implementation", None)
    else:
        layer.__class__ = _used(published)
        vars(layer)["implementation"] = implementation


def _must_be_right(layer: HaloAttn | HaloAttention, implementation: str, name: str) -> None:
    """ValueError where a copy of a layer with random weights is not what it is with the attention known."""
    own, used = copy.deepcopy(layer), copy.deepcopy(layer)
    _attend_by(own, KNOWN if isinstance(own, HaloAttention) else ORIGINAL)
    _attend_by(used, implementation)
    generator = torch.Generator().manual_seed(0)
    for mine, theirs in zip(used.parameters(), own.parameters(), strict=True):
        drawn = torch.randn(mine.shape, generator=generator) * math.prod(mine.shape[1:]) ** -0.5
        mine.data.copy_(drawn)
        theirs.data.copy_(drawn)
    like = next(own.parameters())
    block = layer.asked.block if isinstance(layer, HaloAttention) else layer.block_size
    shape = 2, layer.q.in_channels, 2 * block, 3 * block
    x = torch.randn(shape, generator=generator).to(like)
    rounded, found = _results(own, x), _results(used, x)
    for result, exact in _results(own.double(), x.double()).items():
        both = found[result], rounded[result]
        off, noise = (float((each.double() - exact).norm() / exact.norm()) for each in both)
        allowed = SLACK * noise + LEAST * torch.finfo(like.dtype).eps
        if not off <= allowed:
            raise ValueError(
                f"{implementation} is wrong in {name or 'the layer'}: {result} is off by {off:.2e}, "
                f"allowed {allowed:.2e}"
            )


def _results(layer: HaloAttn | HaloAttention, x: Tensor) -> dict[str, Tensor]:
    """The output, and the gradients of the map and of the parameters by their names."""
    x = x.detach().requires_grad_()
    parameters = dict(layer.named_parameters())
    with torch.enable_grad():
        out = layer(x)
        slopes = torch.linspace(-1, 1, out.numel(), dtype=out.dtype, device=out.device).view_as(out)
        gradients = torch.autograd.grad(out, [x, *parameters.values()], slopes, materialize_grads=True)
    names = ["the output", *(f"the gradient of {name}" for name in ("the map", *parameters))]
    return dict(zip(names, [out.detach(), *gradients], strict=True))


def problem(layer: HaloAttn, x: Tensor) -> Problem:
    """What timm's layer asks of halo attention when it is given these maps, b c y x."""
    batch, _, height, width = x.shape
    return Problem(
        batch=batch,
        heads=layer.num_heads,
        height=height,
        width=width,
        dim_qk=layer.dim_head_qk,
        dim_v=layer.dim_head_v,
        block=layer.block_size,
        halo=layer.halo_size,
        stride=layer.block_stride,
        border="zero",
        position="sum",
        offset="compact",
        scale=layer.scale,
        position_scale=layer.scale if layer.scale_pos_embed else 1.0,
    )
