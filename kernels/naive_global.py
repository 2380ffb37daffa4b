"""All queries against all positions of the map, masked to the windows: simple, quadratic in its size."""

import math

import torch
from torch import Tensor

from halobench.attention import Position, Problem, attention

from ._windows import halves, pad, table_rows


def _all_pairs(problem: Problem) -> int:
    """Against the map, and with border zero against what surrounds it too."""
    margin = 2 * problem.halo if problem.border == "zero" else 0
    rows, columns = (count * problem.block + margin for count in problem.grid)
    keys = rows * columns if problem.border == "zero" else problem.height * problem.width
    return math.prod(problem.q_shape[:4]) * keys


@attention("naive_global", slots=_all_pairs)
def naive_global(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    margin = 0
    if problem.border == "zero":
        k, v, margin = pad(k, problem), pad(v, problem), problem.halo
    query_y, query_x = (torch.arange(size, device=q.device) for size in problem.queries)
    seen_y, rows_y = _axis(query_y, torch.arange(k.shape[2], device=q.device) - margin, problem)
    seen_x, rows_x = _axis(query_x, torch.arange(k.shape[3], device=q.device) - margin, problem)
    logits = (q * problem.logit_scale).flatten(2, 3) @ k.flatten(2, 3).mT
    logits = logits.unflatten(3, k.shape[2:4]).unflatten(2, problem.queries)  # b h y x key_y key_x
    if position is not None:
        q_height, q_width = halves(q, problem)
        rel_height, rel_width = (table * problem.position_scale for table in position)
        height = torch.einsum("bhyxd,yid->bhyxi", q_height, rel_height[rows_y])
        width = torch.einsum("bhyxd,xjd->bhyxj", q_width, rel_width[rows_x])
        logits = logits + (height[..., :, None] + width[..., None, :])
    seen = seen_y[:, None, :, None] & seen_x[:, None, :]
    weights = logits.masked_fill(~seen, float("-inf")).flatten(4).flatten(2, 3).softmax(-1)
    out: Tensor = (weights @ v.flatten(2, 3)).unflatten(2, problem.queries)
    return out


def _axis(query: Tensor, key: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """query key: whether the key lies in the query's window, and the table's row of the two."""
    at, within = query // problem.side, query % problem.side
    slot = key - (at * problem.block - problem.halo)[:, None]
    seen = (slot >= 0) & (slot < problem.window)
    return seen, table_rows(within, slot.clamp(0, problem.window - 1), problem)
