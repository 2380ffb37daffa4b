"""A copy of the window for every query, as per-pixel local attention has it: (block + 2 halo)^2 slots."""

import torch
from torch import Tensor

from halobench.attention import Position, Problem, attention

from ._windows import halves, outside, pad, table_rows


@attention("unfold_local")
def unfold_local(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    (at_y, slot_y, rows_y), (at_x, slot_x, rows_x) = (
        _axis(torch.arange(size, device=q.device), problem) for size in problem.queries
    )
    keys, values = (pad(x, problem)[:, :, slot_y[:, None, :, None], slot_x[None, :, None]] for x in (k, v))
    logits = torch.einsum("bhyxd,bhyxijd->bhyxij", q * problem.logit_scale, keys)
    if position is not None:
        q_height, q_width = halves(q, problem)
        rel_height, rel_width = (table * problem.position_scale for table in position)
        height = torch.einsum("bhyxd,yid->bhyxi", q_height, rel_height[rows_y])
        width = torch.einsum("bhyxd,xjd->bhyxj", q_width, rel_width[rows_x])
        logits = logits + (height[..., :, None] + width[..., None, :])
    if problem.border == "mask":
        masked = outside(problem, q.device).unflatten(0, problem.grid)[at_y[:, None], at_x]
        logits = logits.masked_fill(masked.view(logits.shape[2:]), float("-inf"))
    weights = logits.flatten(4).softmax(-1)
    return torch.einsum("bhyxs,bhyxsd->bhyxd", weights, values.flatten(4, 5))


def _axis(query: Tensor, problem: Problem) -> tuple[Tensor, Tensor, Tensor]:
    """Along one axis: each query's block, its slots in the padded map, their rows in the table."""
    at, within = query // problem.side, query % problem.side
    slot = torch.arange(problem.window, device=query.device)
    return at, (at * problem.block)[:, None] + slot, table_rows(within, slot, problem)
