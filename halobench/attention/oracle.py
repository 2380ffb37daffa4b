"""The meaning of halo attention, written to be read: block by block, dense inside a block, in float64."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from halobench.attention.implementation import Position
from halobench.attention.problem import Problem

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
        query_y, query_x = place(block, problem)
        out[:, :, query_y, query_x] = _block(q[:, :, query_y, query_x], k, v, position, problem, block)
    return out


def sizes(given: Inputs, out: Tensor, problem: Problem, chosen: Iterable[Block]) -> dict[str, Tensor]:
    """How large the terms are that each result is the sum of: the root of the sum of their squares, float64.

    Rounding is judged against it: a sum whose terms are rounded independently of each other is off by about
    an epsilon times that, however small the sum itself is. A weight is known to an epsilon times the size of
    its logit, so its square counts `1 + size ** 2` times.

    Args:
        given: the inputs; `grad_out` zero outside the chosen blocks.
        out: what `attend` gives for them in float64.
        problem: what is asked.
        chosen: the blocks that count.

    Returns:
        `out`, and `d` + name of every input, each of the shape of the result.
    """
    leaves = {name: x.double().square().requires_grad_() for name, x in given.tensors.items()}
    q2, k2, v2, *tables2 = leaves.values()
    position2 = (tables2[0], tables2[1]) if tables2 else None
    size2, total = torch.zeros_like(out), torch.zeros((), dtype=torch.float64, device=out.device)
    for block in chosen:
        here = (slice(None), slice(None), *place(block, problem))
        grad2, values2 = given.grad_out[here].double().square(), _slots(v2, *_window(block, problem))
        logits2 = _logits(q2[here], k2, position2, problem, block, power=2)
        weights2 = _block_weights(given, problem, block).square() * (1 + logits2.detach())
        size2[here] = torch.einsum("bhyxij,bhijd->bhyxd", weights2, values2.detach())
        of_weights2 = torch.einsum("bhyxd,bhijd->bhyxij", grad2, values2)
        of_out2 = (grad2 * out[here].square()).sum(-1)[..., None, None]
        # What is linear in the squares of q, k and tables, and what is linear in those of v.
        total = total + (logits2 * weights2 * (of_weights2.detach() + of_out2)).sum()
        total = total + (of_weights2 * weights2).sum()
    found = torch.autograd.grad(total, list(leaves.values()), materialize_grads=True)
    return {"out": size2.sqrt()} | {f"d{name}": x.sqrt() for name, x in zip(leaves, found, strict=True)}


def _block_weights(given: Inputs, problem: Problem, block: Block) -> Tensor:
    """b h y x i j: the weights of one block in float64."""
    q, k = given.q[:, :, *place(block, problem)].double(), given.k.double()
    position = None if given.position is None else (given.position[0].double(), given.position[1].double())
    return _weights(_logits(q, k, position, problem, block), problem, block)


def place(block: Block, problem: Problem) -> tuple[slice, slice]:
    """Return where the queries of a block lie among all queries."""
    y, x = (_queries(at, size, problem) for at, size in zip(block, problem.queries, strict=True))
    return y, x


def _queries(at: int, size: int, problem: Problem) -> slice:
    """Along one axis: where the queries of a block lie among all queries; the last block may be cut off."""
    return slice(at * problem.side, min(size, (at + 1) * problem.side))


def _block(  # noqa: PLR0913  the operation's inputs and which block
    q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem, block: Block
) -> Tensor:
    """The queries of one block, b h y x d, against every slot of its window."""
    weights = _weights(_logits(q, k, position, problem, block), problem, block)
    return torch.einsum("bhyxij,bhijd->bhyxd", weights, _slots(v, *_window(block, problem)))


def _logits(  # noqa: PLR0913  the operation's inputs and which block
    q: Tensor, k: Tensor, position: Position, problem: Problem, block: Block, power: int = 1
) -> Tensor:
    """b h y x i j: of queries and slots; of squares of all inputs, with factors to the power of 2."""
    keys = _slots(k, *_window(block, problem))
    logits: Tensor = problem.logit_scale**power * torch.einsum("bhyxd,bhijd->bhyxij", q, keys)
    if position is not None:
        logits = logits + problem.position_scale**power * _relative(q, position, problem)
    return logits


def _weights(logits: Tensor, problem: Problem, block: Block) -> Tensor:
    """b h y x i j: the softmax over the slots of the window, those outside the map masked if asked for."""
    if problem.border == "mask":
        slot_y, slot_x = _window(block, problem)
        inside = _inside(slot_y, problem.height)[:, None] & _inside(slot_x, problem.width)
        logits = logits.masked_fill(~inside.to(logits.device), float("-inf"))
    weights: Tensor = logits.flatten(-2).softmax(-1).unflatten(-1, (problem.window, problem.window))
    return weights


def _window(block: Block, problem: Problem) -> tuple[Tensor, Tensor]:
    """Rows and columns of the map in the window of a block, those outside the map included."""
    slot_y, slot_x = (problem.block * at - problem.halo + torch.arange(problem.window) for at in block)
    return slot_y, slot_x


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
