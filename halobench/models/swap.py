"""timm's halo attention with any implementation inside: the same weights, the same outputs."""

from typing import TypeVar

from timm.layers.halo_attn import HaloAttn
from torch import Tensor, nn

from halobench.attention import halo_attention, load
from halobench.problem import Problem

AS_PUBLISHED = "original"

Network = TypeVar("Network", bound=nn.Module)


class UsedHaloAttn(HaloAttn):
    """timm's layer, its parameters untouched, with attention by `implementation`; maps may be of any size."""

    implementation: str

    def forward(self, x: Tensor) -> Tensor:
        q = _by_head(self.q(x), self.num_heads)
        k, v = _by_head(self.kv(x), self.num_heads).split([self.dim_head_qk, self.dim_head_v], dim=-1)
        asked = problem(self, x)
        out = halo_attention(
            q,
            k,
            v,
            asked.block,
            asked.halo,
            stride=asked.stride,
            border=asked.border,
            position=(self.pos_embed.height_rel.to(q.dtype), self.pos_embed.width_rel.to(q.dtype)),
            scale=asked.scale,
            position_scale=asked.position_scale,
            offset=asked.offset,
            implementation=self.implementation,
        )
        maps: Tensor = self.pool(out.movedim(-1, 2).flatten(1, 2))
        return maps


def use(model: Network, implementation: str) -> Network:
    """Replace the attention inside timm's halo layers, in place, and return the model.

    Weights, parameter names and outputs stay as they are; lambda and BoT layers are left alone.

    Args:
        model: any network with layers of timm's `HaloAttn`.
        implementation: a name of `halobench list`, `auto`, or `original` for timm's own again.

    Raises:
        ValueError: a model without such layers.
        KeyError: an unknown implementation; the message lists the known.
    """
    if implementation != AS_PUBLISHED:
        load(implementation)
    layers = [layer for layer in model.modules() if isinstance(layer, HaloAttn)]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no halo attention of timm inside")
    for layer in layers:
        if implementation == AS_PUBLISHED:
            layer.__class__ = HaloAttn
            vars(layer).pop("implementation", None)
        else:
            layer.__class__ = UsedHaloAttn
            vars(layer)["implementation"] = implementation
    return model


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


def _by_head(x: Tensor, heads: int) -> Tensor:
    """b (h d) y x -> b h y x d, a view"""
    by_head: Tensor = x.unflatten(1, (heads, -1)).movedim(2, -1)
    return by_head
