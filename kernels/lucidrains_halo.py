"""halonet-pytorch's own HaloAttention on given queries, keys and values: its forward without projections.

It gathers windows of the map before it projects them, `(block + 2 halo)^2 / block^2` times the work: with the
projections gone that is gone too, and the time is less than the layer's. What is gathered here is a map of
keys and values; joining these, and cutting the queries into blocks, are our copies. Its forward also cuts
that map into blocks, where its own would be half as wide: that copy stays in its time.
"""

from functools import cache
from typing import Any

import torch
from halonet_pytorch import HaloAttention
from torch import Tensor

from halobench.attention import Position, Problem, attention

from ._adapters import as_map, forward_of, heads_of, no_position, summed_tables
from ._limits import cut_off, first, shared_limits


def _beyond_lucidrains(problem: Problem, device: str, direction: str) -> str | None:
    limits = {
        "border mask only: what lies outside the map gets no weight": problem.border != "mask",
        "halo 1 or more only": problem.halo == 0,
        "scale 0 would take the position away too": problem.logit_scale == 0 and problem.position != "none",
    }
    return first(limits | shared_limits(problem) | cut_off(problem))


def _adapt(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> tuple[Tensor, ...]:
    """Queries in blocks, the map of all keys then all values, and tables for queries scaled already."""
    factor = problem.position_scale / (problem.logit_scale or 1)
    return (
        _blocks(q, problem),
        torch.cat([as_map(k), as_map(v)], 1),
        *summed_tables(position, problem, factor),
    )


def _blocks(q: Tensor, problem: Problem) -> Tensor:
    """b h y x d -> (b block) query (h d), always a copy: the layer scales it in place."""
    cut: Tensor = q.unflatten(3, (-1, problem.block)).unflatten(2, (-1, problem.block))
    cut = cut.permute(0, 2, 4, 3, 5, 1, 6).clone(memory_format=torch.contiguous_format)
    return cut.flatten(5).flatten(3, 4).flatten(0, 2)


@attention("lucidrains_halo", unsupported=_beyond_lucidrains, adapt=_adapt)
def lucidrains_halo(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    queries, keys_and_values, *tables = _adapt(q, k, v, position, problem)
    layer, relative = _layer(problem), no_position
    if tables:
        relative = forward_of(layer.rel_pos_emb, rel_height=tables[0], rel_width=tables[1])
    forward = forward_of(
        layer, to_q=lambda x: queries, to_kv=lambda x: x, to_out=lambda x: x, rel_pos_emb=relative
    )
    return heads_of(forward(keys_and_values), problem)


@cache
def _layer(problem: Problem) -> Any:
    """A layer with the settings of the problem; on `meta` its weights take no memory."""
    with torch.device("meta"):
        layer = HaloAttention(
            dim=2 * problem.heads * problem.dim_qk,
            block_size=problem.block,
            halo_size=problem.halo,
            dim_head=problem.dim_qk,
            heads=problem.heads,
        )
    layer.scale = problem.logit_scale
    return layer
