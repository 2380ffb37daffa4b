"""timm's own HaloAttn on given queries, keys and values: its forward, without its projections.

Its projections leave a map of queries and one of each head's keys and values side by side. Joining these
is our copy; so is the map of the queries, but where memory is laid out as a map.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from halobench.attention import Position, Problem, attention

from ._adapters import as_map, forward_of, heads_of, no_position, summed_tables
from ._limits import cut_off, first


def _beyond_timm(problem: Problem, device: str, direction: str) -> str | None:
    strided = problem.stride == 2 and problem.position != "none"
    limits = {
        "needs a batch of 1 or more": problem.batch == 0,
        "border zero only: what lies outside the map takes weight": (
            problem.border != "zero" and problem.reaches_outside
        ),
        f"stride 1 or 2 only, not {problem.stride}": problem.stride > 2,
        "offset compact only at stride 2: its tables count queries": strided and problem.offset != "compact",
    }
    return first(limits | cut_off(problem))


def _adapt(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> tuple[Tensor, ...]:
    """The map of queries, that of keys and values, and the tables."""
    return as_map(q), _joined(k, v), *summed_tables(position, problem, problem.position_scale)


def _joined(k: Tensor, v: Tensor) -> Tensor:
    """b h y x d twice -> batch channels height width; channels last in memory where those of k are."""
    if as_map(k).is_contiguous(memory_format=torch.channels_last):
        return torch.cat([x.permute(0, 2, 3, 1, 4) for x in (k, v)], 4).flatten(3).permute(0, 3, 1, 2)
    return torch.cat([x.permute(0, 1, 4, 2, 3) for x in (k, v)], 2).flatten(1, 2)


@attention("timm_halo", unsupported=_beyond_timm, adapt=_adapt, imports=("timm.layers.halo_attn",))
def timm_halo(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    queries, keys_and_values, *tables = _adapt(q, k, v, position, problem)
    return heads_of(attend_maps(queries, keys_and_values, tables, problem), problem)


def attend_maps(q: Tensor, kv: Tensor, tables: Sequence[Tensor], problem: Problem) -> Tensor:
    """timm's forward on what its projections would give; all of it batch channels height width."""
    layer, relative = _layer(problem), no_position
    if tables:
        relative = forward_of(layer.pos_embed, height_rel=tables[0], width_rel=tables[1])
    forward = forward_of(layer, q=lambda x: q, kv=lambda x: x, pos_embed=relative, pool=layer.pool)
    out: Tensor = forward(kv)
    return out


@cache
def _layer(problem: Problem) -> Any:
    """A layer of timm with the settings of the problem; on `meta` its weights take no memory."""
    from timm.layers.halo_attn import HaloAttn  # noqa: PLC0415  importing timm takes seconds

    layer = HaloAttn(
        problem.heads * problem.dim_v,
        stride=problem.stride,
        num_heads=problem.heads,
        dim_head=problem.dim_qk,
        block_size=problem.block,
        halo_size=problem.halo,
        device="meta",
    )
    layer.scale = problem.logit_scale
    return layer
