"""Cutting maps into blocks of queries and windows of slots, for implementations that gather."""

import torch
import torch.nn.functional as F
from torch import Tensor

from halobench.attention import Position, Problem


def blocks(q: Tensor, problem: Problem) -> Tensor:
    """b h y x d -> b h tile query d, zero where the last blocks are cut off."""
    (rows, columns), side = problem.grid, problem.side
    q = F.pad(q, (0, 0, 0, columns * side - q.shape[3], 0, rows * side - q.shape[2]))
    cut: Tensor = q.unflatten(3, (columns, side)).unflatten(2, (rows, side))
    return cut.transpose(3, 4).flatten(4, 5).flatten(2, 3)


def unblock(out: Tensor, problem: Problem) -> Tensor:
    """b h tile query d -> b h y x d"""
    (rows, columns), side = problem.grid, problem.side
    out = out.unflatten(3, (side, side)).unflatten(2, (rows, columns)).transpose(3, 4)
    height, width = problem.queries
    return out.flatten(4, 5).flatten(2, 3)[:, :, :height, :width]


def pad(x: Tensor, problem: Problem) -> Tensor:
    """b h y x d -> the same with the slots around the map that some window reaches, zero there."""
    rows, columns = (count * problem.block for count in problem.grid)
    halo = problem.halo
    return F.pad(x, (0, 0, halo, columns - problem.width + halo, halo, rows - problem.height + halo))


def windows(x: Tensor, problem: Problem) -> Tensor:
    """b h y x d -> b h tile slot d, zero (or False) outside the map: a copy of the window for every block."""
    size, step = problem.window, problem.block
    return pad(x, problem).unfold(2, size, step).unfold(3, size, step).flatten(5).flatten(2, 3).mT


def outside(problem: Problem, device: torch.device) -> Tensor:
    """tile 1 slot: which slots of each window lie outside the map."""
    inside = torch.ones(1, 1, problem.height, problem.width, 1, dtype=torch.bool, device=device)
    return ~windows(inside, problem)[0, 0].mT


def table_rows(queries: Tensor, slots: Tensor, problem: Problem) -> Tensor:
    """Row of the table for queries and slots counted from the start of block and window, along one axis."""
    return slots - table_step(problem) * queries[:, None] + problem.window - 1


def table_step(problem: Problem) -> int:
    """Rows of the table between one query and the next."""
    return problem.stride if problem.offset == "exact" else 1


def relative_logits(q: Tensor, position: tuple[Tensor, Tensor], problem: Problem) -> tuple[Tensor, Tensor]:
    """b h tile query d -> b h tile query_y query_x slot_y and … slot_x, for height and width."""
    rows = table_rows(
        torch.arange(problem.side, device=q.device), torch.arange(problem.window, device=q.device), problem
    )
    q_height, q_width = halves(q.unflatten(3, (problem.side, problem.side)), problem)
    rel_height, rel_width = (table[rows] * problem.position_scale for table in position)
    height = torch.einsum("bhtyxd,yjd->bhtyxj", q_height, rel_height)
    width = torch.einsum("bhtyxd,xjd->bhtyxj", q_width, rel_width)
    return height, width


def halves(q: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """The channels that the tables of height and of width are multiplied by."""
    if problem.position == "split":
        height, width = q.chunk(2, dim=-1)
        return height, width
    return q, q


def bias(q: Tensor, position: Position, problem: Problem) -> Tensor | None:
    """What is added to the logits, broadcast to b h tile query slot; None for nothing."""
    masked = outside(problem, q.device) if problem.border == "mask" and problem.reaches_outside else None
    if position is None:
        if masked is None:
            return None
        return torch.zeros(masked.shape, dtype=q.dtype, device=q.device).masked_fill(masked, float("-inf"))
    height, width = relative_logits(q, position, problem)
    logits = (height[..., :, None] + width[..., None, :]).flatten(5).flatten(3, 4)
    return logits if masked is None else logits.masked_fill(masked, float("-inf"))
