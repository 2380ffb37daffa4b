"""Halo attention as a layer: a map in, a map out, with the projections to queries, keys and values."""

import dataclasses

import torch
from torch import Tensor, nn

from halobench.attention.functional import attend_maps
from halobench.attention.implementation import Position, load
from halobench.attention.problem import Problem


class HaloAttention(nn.Module):
    """Halo attention over maps `(batch, channels, height, width)`, which may be of any size.

    Projections are 1x1 convolutions without bias and there is none after attention, as in the paper
    (arXiv 2103.12731). A stride that does not divide the block is what timm makes of it: attention
    at stride 1, then average pooling.

    Args:
        dim: channels of the map.
        dim_out: channels of the output, shared out among the heads; `dim` if not given.
        heads: attention heads.
        block: positions along a side of a block.
        halo: positions around a block that its queries see too.
        stride: the output has every `stride`-th position of each axis.
        dim_qk: channels of a head's queries and keys; `dim / heads` if not given.
        border: `mask`: slots outside the map get no weight; `zero`: they are keys and values of zero.
        position: relative positions: `split` (the paper), `sum` (timm) or `none`.
        offset: `exact`, or `compact` (table rows count queries, not positions: timm at stride 2).
        scale: of q.k; `dim_qk ** -0.5` if not given.
        position_scale: of the relative logits.
        implementation: a name of `halobench list`, or `auto`; the attribute may be changed later.

    Raises:
        ValueError: sizes that do not fit, or an implementation that cannot be imported.
        KeyError: an unknown implementation; the message lists the known.

    Example:
        >>> layer = HaloAttention(64, heads=4, block=8, halo=3, stride=2)
        >>> layer(torch.randn(1, 64, 32, 32)).shape
        torch.Size([1, 64, 16, 16])
    """

    rel_height: nn.Parameter | None
    rel_width: nn.Parameter | None

    def __init__(  # noqa: PLR0913  one keyword an option of the operation
        self,
        dim: int,
        dim_out: int | None = None,
        *,
        heads: int = 8,
        block: int = 8,
        halo: int = 3,
        stride: int = 1,
        dim_qk: int | None = None,
        border: str = "mask",
        position: str = "split",
        offset: str = "exact",
        scale: float | None = None,
        position_scale: float = 1.0,
        implementation: str = "auto",
    ) -> None:
        super().__init__()
        self.implementation = implementation
        pooled = stride > 1 and block % stride != 0
        self.asked = Problem(  # of a map of one block; `problem` says it of others
            height=block,
            width=block,
            block=block,
            halo=halo,
            heads=heads,
            dim_qk=_per_head("dim", dim, heads) if dim_qk is None else dim_qk,
            dim_v=_per_head("dim_out", dim if dim_out is None else dim_out, heads),
            stride=1 if pooled else stride,
            border=border,
            position=position,
            offset=offset,
            scale=scale,
            position_scale=position_scale,
        )
        dim_head = self.asked.dim_qk + self.asked.dim_v
        self.q = nn.Conv2d(dim, heads * self.asked.dim_qk, 1, stride=self.asked.stride, bias=False)
        self.kv = nn.Conv2d(dim, heads * dim_head, 1, bias=False)  # of each head its keys, then its values
        for name in ("rel_height", "rel_width"):
            table = None if position == "none" else nn.Parameter(torch.empty(self.asked.table_shape))
            self.register_parameter(name, table)
        self.pool = nn.AvgPool2d(stride, ceil_mode=True) if pooled else nn.Identity()
        self.reset_parameters()

    @property
    def implementation(self) -> str:
        """The name of what attends, which is imported when it is set."""
        return self._implementation

    @implementation.setter
    def implementation(self, name: str) -> None:
        load(name)
        self._implementation = name

    def reset_parameters(self) -> None:
        """Projections and tables that keep the size of what they are multiplied with, as timm has them."""
        for convolution in (self.q, self.kv):
            nn.init.trunc_normal_(convolution.weight, std=convolution.in_channels**-0.5)
        for table in (self.rel_height, self.rel_width):
            if table is not None:
                nn.init.trunc_normal_(table, std=self.asked.dim_qk**-0.5)

    def problem(self, height: int, width: int, batch: int = 1, dtype: str = "float32") -> Problem:
        """What the layer asks of an implementation for maps of this size."""
        return dataclasses.replace(self.asked, height=height, width=width, batch=batch, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        q = self.q(x)
        out = attend_maps(q, self.kv(x), self.asked, self._position(q.dtype), self.implementation)
        maps: Tensor = self.pool(out)
        return maps

    def _position(self, dtype: torch.dtype) -> Position:
        """The tables in the dtype of the queries: under autocast it is not that of the parameters."""
        if self.rel_height is None or self.rel_width is None:
            return None
        return self.rel_height.to(dtype), self.rel_width.to(dtype)


def _per_head(name: str, channels: int, heads: int) -> int:
    if heads < 1 or channels % heads:
        raise ValueError(f"{name} must be a multiple of heads = {heads}, not {channels}")
    return channels // heads
