"""The meaning of halo attention, written to be read: block by block, dense inside a block, in float64."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from halobench.attention import Position
from halobench.problem import Problem

Block = tuple[int, int]  # row and column in the grid of blocks


@dataclass(frozen=True)
class Inputs:
    """What an implementation is called with, and the gradient of its output; axes `b h y x d`."""

    q: Tensor
    k: Tensor
    v: Tensor
    position: Position
    grad_out: Tensor

    @property
    def tensors(self) -> dict[str, Tensor]:
        """What has a gradient, by name."""
        named = {"q": self.q, "k": self.k, "v": self.v}
        if self.position is not None:
            named |= {"rel_height": self.position[0], "rel_width": self.position[1]}
        return named

    def clone(self) -> "Inputs":
        """The same values in memory of their own."""
        tables = None if self.position is None else (self.position[0].clone(), self.position[1].clone())
        return Inputs(self.q.clone(), self.k.clone(), self.v.clone(), tables, self.grad_out.clone())

    def write(self, values: "Inputs") -> None:
        """Take on these values, in the memory that the tensors have."""
        with torch.no_grad():
            for name, tensor in (self.tensors | {"": self.grad_out}).items():
                tensor.copy_((values.tensors | {"": values.grad_out})[name])


def inputs(problem: Problem, layout: str = "bhyxd", device: str = "cpu", seed: int = 0) -> Inputs:
    """Normal data for a problem; the same for the same seed on every device and in every layout."""
    generator = torch.Generator().manual_seed(seed)
    dtype = getattr(torch, problem.dtype)

    def normal(shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=generator).to(device, dtype)

    q, k, v = (_laid_out(normal(s), layout) for s in (problem.q_shape, problem.k_shape, problem.v_shape))
    tables = normal(problem.table_shape), normal(problem.table_shape)
    grad_out = _laid_out(normal(problem.out_shape), layout)
    return Inputs(q, k, v, None if problem.position == "none" else tables, grad_out)


def blocks(problem: Problem) -> list[Block]:
    """Every block of the grid."""
    rows, columns = problem.grid
    return [(row, column) for row in range(rows) for column in range(columns)]


def attend(  # noqa: PLR0913  the operation's inputs, and which part of it
    q: Tensor,
    k: Tensor,
    v: Tensor,
    position: Position,
    problem: Problem,
    *,
    chosen: Iterable[Block] | None = None,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """The output in `dtype`, b h y x d; zero outside the chosen blocks (default: all)."""
    q, k, v = (x.to(dtype) for x in (q, k, v))
    if position is not None:
        position = position[0].to(dtype), position[1].to(dtype)
    out = torch.zeros(problem.out_shape, dtype=dtype, device=q.device)
    for block in blocks(problem) if chosen is None else chosen:
        query_y, query_x = (
            _queries(at, size, problem) for at, size in zip(block, problem.queries, strict=True)
        )
        out[:, :, query_y, query_x] = _block(q[:, :, query_y, query_x], k, v, position, problem, block)
    return out


def _queries(at: int, size: int, problem: Problem) -> slice:
    """Along one axis: where the queries of a block lie among all queries; the last block may be cut off."""
    return slice(at * problem.side, min(size, (at + 1) * problem.side))


def _block(  # noqa: PLR0913  the operation's inputs and which block
    q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem, block: Block
) -> Tensor:
    """The queries of one block, b h y x d, against every slot of its window."""
    slot_y, slot_x = (problem.block * at - problem.halo + torch.arange(problem.window) for at in block)
    keys, values = _slots(k, slot_y, slot_x), _slots(v, slot_y, slot_x)
    logits = problem.logit_scale * torch.einsum("bhyxd,bhijd->bhyxij", q, keys)
    if position is not None:
        logits = logits + problem.position_scale * _relative(q, position, problem)
    if problem.border == "mask":
        inside = _inside(slot_y, problem.height)[:, None] & _inside(slot_x, problem.width)
        logits = logits.masked_fill(~inside.to(q.device), float("-inf"))
    weights = logits.flatten(-2).softmax(-1).unflatten(-1, (problem.window, problem.window))
    return torch.einsum("bhyxij,bhijd->bhyxd", weights, values)


def _slots(x: Tensor, slot_y: Tensor, slot_x: Tensor) -> Tensor:
    """b h y x d -> b h i j d: what lies in the slots of a window, zero outside the map."""
    height, width = x.shape[2:4]
    inside = _inside(slot_y, height)[:, None, None] & _inside(slot_x, width)[:, None]
    rows, columns = slot_y.clamp(0, height - 1), slot_x.clamp(0, width - 1)
    return x[:, :, rows[:, None], columns] * inside.to(x.device, x.dtype)


def _inside(slot: Tensor, size: int) -> Tensor:
    return (slot >= 0) & (slot < size)


def _relative(q: Tensor, position: tuple[Tensor, Tensor], problem: Problem) -> Tensor:
    """b h y x d -> b h y x i j: logits of the offset from the query to the slot."""
    rel_height, rel_width = position
    q_height, q_width = (q, q) if problem.position == "sum" else q.chunk(2, dim=-1)
    step = problem.stride if problem.offset == "exact" else 1

    def rows(queries: int) -> Tensor:
        i, j = torch.arange(queries)[:, None], torch.arange(problem.window)
        return j - step * i + problem.window - 1

    height = torch.einsum("bhyxd,yid->bhyxi", q_height, rel_height[rows(q.shape[2])])
    width = torch.einsum("bhyxd,xjd->bhyxj", q_width, rel_width[rows(q.shape[3])])
    return height[..., :, None] + width[..., None, :]


def _laid_out(x: Tensor, layout: str) -> Tensor:
    """The same tensor b h y x d with its elements in another order in memory."""
    if layout == "channels_last":  # b y x h d: a map whose channels lie side by side
        return x.permute(0, 2, 3, 1, 4).contiguous().permute(0, 3, 1, 2, 4)
    if layout == "nchw":  # b h d y x
        return x.permute(0, 1, 4, 2, 3).contiguous().permute(0, 1, 3, 4, 2)
    return x.contiguous()
