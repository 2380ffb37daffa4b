"""`haloed_blocked`, a cache-sized chunk of blocks at a time: the logits stay in the cache.

Each chunk gathers its windows and forms logits, softmax and products in buffers that the next chunk
reuses; the backward pass computes the probabilities of a chunk again. A query's relative logits, one
for every row and one for every column of the window, are spread over the slots by a product with a
constant matrix of zeros and ones. Half precision is computed in float32.
"""

import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from halobench.attention import Position, Problem, attention

from ._operators import as_operations, differentiable, flop, flop_backward, numbers, problem_of, transformed
from ._windows import outside, table_step

# Logits of a chunk. On a CPU 4 MiB of float32: few enough for the caches, enough to hide the calls
# (measured: 2**19 is 1.4 times slower for its calls, 2**22 1.5 times for its misses).
ROOM, ROOM_ELSEWHERE = {"cpu": 2**20}, 2**24


@attention("haloed_chunked")
def haloed_chunked(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    if transformed():
        return as_operations(q, k, v, position, problem)
    height, width = position or (None, None)
    out: Tensor = _forward(q, k, v, height, width, *numbers(problem))
    return out


def _table(rel_height: Tensor | None, rel_width: Tensor | None, problem: Problem) -> Tensor | None:
    """Rows of both tables that occur: (offset_y + offset_x) d, scaled; `split` is `sum` with zeros."""
    if rel_height is None or rel_width is None:
        return None
    count, tables = _offsets(problem), (rel_height, rel_width)
    height, width = (table[-count:] * problem.position_scale for table in tables)
    if problem.position == "split":
        height, width = F.pad(height, (0, problem.dim_rel)), F.pad(width, (problem.dim_rel, 0))
    return torch.cat([height, width])


def _offsets(problem: Problem) -> int:
    """Offsets that occur between the queries and the slots of a block, along one axis."""
    return problem.window + table_step(problem) * (problem.side - 1)


@torch.library.custom_op("halobench::haloed_chunked", mutates_args=())
def _forward(  # noqa: PLR0913  an operator's schema has no problems, only numbers
    q: Tensor, k: Tensor, v: Tensor, rel_height: Tensor | None, rel_width: Tensor | None, block: int,
    halo: int, stride: int, zero: bool, compact: bool, scale: float, position_scale: float,
) -> Tensor:  # fmt: skip
    problem = problem_of(q, k, v, rel_height, block, halo, stride, zero, compact, scale, position_scale)
    work = _Work(problem, q, k, v, _table(rel_height, rel_width, problem))
    out = work.whole_blocks(problem.dim_v)
    for chunk in _chunks(problem, q.device.type):
        _, _, weights = work.weights(chunk)
        values = work.windows("v", v, chunk)
        result = work.buffer("out", chunk.blocks, problem.side**2, problem.dim_v)
        work.put(out, chunk, torch.bmm(weights, values, out=result))
    return work.queries_inside(out).contiguous()


@torch.library.custom_op("halobench::haloed_chunked_backward", mutates_args=())
def _backward(  # noqa: PLR0913  as the operator
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rel_height: Tensor | None, rel_width: Tensor | None,
    block: int, halo: int, stride: int, zero: bool, compact: bool, scale: float, position_scale: float,
) -> list[Tensor]:  # fmt: skip
    """Return the gradients of q, k and v, and of both tables if there are any."""
    problem = problem_of(q, k, v, rel_height, block, halo, stride, zero, compact, scale, position_scale)
    gradients = _Gradients(_Work(problem, q, k, v, _table(rel_height, rel_width, problem)))
    for chunk in _chunks(problem, q.device.type):
        gradients.add(chunk, grad)
    return gradients.results()


@_forward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, *others: Any) -> Tensor:
    return q.new_empty(*q.shape[:-1], v.shape[-1])


@_backward.register_fake
def _(  # noqa: PLR0913  as the operator
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rel_height: Tensor | None, rel_width: Tensor | None,
    *others: Any,
) -> list[Tensor]:  # fmt: skip
    tables = [torch.empty_like(table) for table in (rel_height, rel_width) if table is not None]
    return [q.new_empty(q.shape), torch.empty_like(k), torch.empty_like(v), *tables]


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:5])
    ctx.numbers = inputs[5:]


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    inputs = ctx.saved_tensors
    if torch.is_grad_enabled():  # this pass will be differentiated
        found = differentiable(grad, inputs, ctx.numbers)
    else:
        found = _backward(grad, *inputs, *ctx.numbers)
        found += [None] * (len(inputs) - len(found))
    return (*found, *[None] * len(ctx.numbers))


_forward.register_autograd(_differentiate, setup_context=_save)
register_flop_formula(torch.ops.halobench.haloed_chunked)(flop)
register_flop_formula(torch.ops.halobench.haloed_chunked_backward)(flop_backward)


@dataclass(frozen=True)
class _Chunk:
    """Ranges of batch, heads, and rows and columns of blocks."""

    batch: range
    heads: range
    rows: range
    columns: range

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.batch), len(self.heads), len(self.rows), len(self.columns)

    @property
    def blocks(self) -> int:
        return math.prod(self.shape)

    def maps(self, x: Tensor) -> Tensor:
        return x[self.batch.start : self.batch.stop, self.heads.start : self.heads.stop]


def _chunks(problem: Problem, device: str) -> Iterator[_Chunk]:
    """All blocks, as many at a time as there is room for, columns first; one at least."""
    room = ROOM.get(device, ROOM_ELSEWHERE) // (problem.side * problem.window) ** 2
    axes = []
    for size in reversed((problem.batch, problem.heads, *problem.grid)):
        step = max(1, min(size, room))
        axes.append([range(start, min(start + step, size)) for start in range(0, size, step)])
        room //= max(1, size)
    for ranges in product(*reversed(axes)):
        yield _Chunk(*ranges)


class _Work:
    """The inputs of a pass and the buffers that its chunks share."""

    def __init__(self, problem: Problem, q: Tensor, k: Tensor, v: Tensor, table: Tensor | None) -> None:
        self.problem, self.q, self.k, self.v = problem, q, k, v
        self.dtype = torch.float64 if q.dtype == torch.float64 else torch.float32
        self._held: dict[str, Tensor] = {}
        self._views: dict[Hashable, Any] = {}  # of buffers: making one takes as long as looking up ten
        self._cuts: dict[str, object] = {}
        self.table = None if table is None else table.to(self.dtype)
        self.spread = _spread(problem.window, self.dtype, q.device)
        self.masked = None
        if problem.border == "mask" and problem.reaches_outside:
            masked = outside(problem, q.device).unflatten(0, problem.grid)
            self.masked = torch.zeros(masked.shape, dtype=self.dtype, device=q.device)
            self.masked.masked_fill_(masked, float("-inf"))

    def buffer(self, name: str, *shape: int) -> Tensor:
        """Memory of this shape; its content is what the last user of the name left."""
        view: Tensor | None = self._views.get((name, shape))
        if view is None:
            size = math.prod(shape)
            if name not in self._held or self._held[name].numel() < size:
                self._held[name] = self.q.new_empty(size, dtype=self.dtype)
                self._views.clear()
            view = self._views[name, shape] = self._held[name][:size].view(shape)
        return view

    def whole_blocks(self, dim: int) -> Tensor:
        """b h y x d for the queries of whole blocks, those that the map cuts off included."""
        rows, columns = (count * self.problem.side for count in self.problem.grid)
        return self.q.new_empty(*self.q.shape[:2], rows, columns, dim)

    def queries_inside(self, x: Tensor) -> Tensor:
        height, width = self.problem.queries
        return x[:, :, :height, :width]

    def queries(self, name: str, x: Tensor, chunk: _Chunk) -> Tensor:
        """b h y x d -> block query d"""
        side = self.problem.side
        (rows, columns), corner = chunk.shape[2:], (chunk.rows[0] * side, chunk.columns[0] * side)
        region = self._cut(name, x, chunk, corner, (rows * side, columns * side))
        self.buffer(name, *chunk.shape, side, side, x.shape[-1]).copy_(_in_blocks(region, side))
        return self.buffer(name, chunk.blocks, side**2, x.shape[-1])

    def windows(self, name: str, x: Tensor, chunk: _Chunk) -> Tensor:
        """b h y x d -> block slot d"""
        window, block = self.problem.window, self.problem.block
        region = self._cut(name, x, chunk, self.corner(chunk), self.extent(chunk))
        region = region.unfold(2, window, block).unfold(3, window, block).movedim(4, 6)
        self.buffer(name, *chunk.shape, window, window, x.shape[-1]).copy_(region)
        return self.buffer(name, chunk.blocks, window**2, x.shape[-1])

    def put(self, out: Tensor, chunk: _Chunk, result: Tensor) -> None:
        """block query d -> its place in whole blocks b h y x d"""
        side = self.problem.side
        y, x = (slice(r.start * side, r.stop * side) for r in (chunk.rows, chunk.columns))
        place = _in_blocks(chunk.maps(out)[:, :, y, x], side)
        place.copy_(result.view(place.shape))

    def weights(self, chunk: _Chunk) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and keys, and block query slot: the softmax of their logits."""
        p = self.problem
        q, k = self.queries("q", self.q, chunk), self.windows("k", self.k, chunk)
        queries, slots = p.side**2, p.window**2
        logits = self.buffer("weights", chunk.blocks, queries, slots)
        if self.table is not None:
            every = self.buffer("weights", chunk.blocks * queries, slots)
            torch.mm(self._relative(q, self.table), self.spread, out=every)
        logits.baddbmm_(q, k.mT, beta=self.table is not None, alpha=p.logit_scale)
        if self.masked is not None:
            rows, columns = (slice(r.start, r.stop) for r in (chunk.rows, chunk.columns))
            self.buffer("weights", *chunk.shape, queries, slots).add_(self.masked[rows, columns])
        return q, k, torch.softmax(logits, -1, out=logits)

    def by_offset(self, blocks: int) -> tuple[Tensor, Tensor, Tensor]:
        """A buffer (block query) (offset_y + offset_x), and two views of it: what each query needs of it.

        The views are block query_y query_x slot_y and … slot_x: a query's slots start where its offsets
        do, so that each next query of an axis reads a step further to the left.
        """
        side, window, offsets = self.problem.side, self.problem.window, _offsets(self.problem)
        every = self.buffer("by_offset", blocks * side**2, 2 * offsets)
        if ("skewed", blocks) not in self._views:
            row, step, first = 2 * offsets, table_step(self.problem), table_step(self.problem) * (side - 1)
            shape = (blocks, side, side, window)
            height = every.as_strided(shape, (side**2 * row, side * row - step, row, 1), first)
            width = every.as_strided(shape, (side**2 * row, side * row, row - step, 1), offsets + first)
            self._views["skewed", blocks] = height, width
        return every, *self._views["skewed", blocks]

    def corner(self, chunk: _Chunk) -> tuple[int, int]:
        """Return where the windows of a chunk start in the map."""
        block, halo = self.problem.block, self.problem.halo
        return chunk.rows[0] * block - halo, chunk.columns[0] * block - halo

    def extent(self, chunk: _Chunk) -> tuple[int, int]:
        """Positions that the windows of a chunk cover along each axis."""
        block, halo = self.problem.block, self.problem.halo
        return len(chunk.rows) * block + 2 * halo, len(chunk.columns) * block + 2 * halo

    def _relative(self, q: Tensor, table: Tensor) -> Tensor:
        """(block query) (slot_y + slot_x): logits of each row, then of each column of the window."""
        side, window = self.problem.side, self.problem.window
        every, height, width = self.by_offset(q.shape[0])
        torch.mm(q.flatten(0, 1), table.mT, out=every)
        out = self.buffer("relative", q.shape[0], side, side, 2 * window)
        out[..., :window] = height
        out[..., window:] = width
        return self.buffer("relative", q.shape[0] * side**2, 2 * window)

    def _cut(
        self, name: str, x: Tensor, chunk: _Chunk, corner: tuple[int, int], extent: tuple[int, int]
    ) -> Tensor:
        """A part of the chunk's maps, zero outside them; a view where all of it lies inside."""
        maps = chunk.maps(x)
        y, x_ = (_overlap(at, n, size) for at, n, size in zip(corner, extent, x.shape[2:4], strict=True))
        part = maps[:, :, y, x_]
        if part.shape[2:4] == extent:
            return part
        cut = self.buffer(f"cut {name}", *chunk.shape[:2], *extent, x.shape[-1])
        place = f"cut {name}", y.start - corner[0], x_.start - corner[1], part.shape, extent
        if self._cuts.get(name) != place:  # else what lies around the part is zero already
            self._cuts[name] = place
            cut.zero_()
        if place not in self._views:
            self._views[place] = cut[:, :, place[1] :, place[2] :][:, :, : part.shape[2], : part.shape[3]]
        self._views[place].copy_(part)
        return cut


class _Gradients:
    """The gradients of all inputs, summed over chunks in order: the same bits every time."""

    def __init__(self, work: _Work) -> None:
        self.work = work
        self.q = work.whole_blocks(work.problem.dim_qk)
        self.k, self.v = (torch.zeros_like(x, dtype=work.dtype) for x in (work.k, work.v))
        self.table = None if work.table is None else torch.zeros_like(work.table)

    def add(self, chunk: _Chunk, grad_out: Tensor) -> None:
        work, scale = self.work, self.work.problem.logit_scale
        q, k, weights = work.weights(chunk)
        values, grad = work.windows("v", work.v, chunk), work.queries("grad_out", grad_out, chunk)
        self._spill(self.v, chunk, torch.bmm(weights.mT, grad, out=work.buffer("spilt", *values.shape)))
        grad_logits = torch.bmm(grad, values.mT, out=work.buffer("grad_logits", *weights.shape))
        torch.ops.aten._softmax_backward_data.out(
            grad_logits, weights, -1, weights.dtype, grad_input=grad_logits
        )
        grad_k = work.buffer("spilt", *k.shape)
        self._spill(self.k, chunk, grad_k.baddbmm_(grad_logits.mT, q, beta=0, alpha=scale))
        grad_q = work.buffer("grad_q", *q.shape).baddbmm_(grad_logits, k, beta=0, alpha=scale)
        if work.table is not None and self.table is not None:
            by_offset = self._by_offset(grad_logits)
            grad_q.flatten(0, 1).addmm_(by_offset, work.table)
            self.table.addmm_(by_offset.mT, q.flatten(0, 1))
        work.put(self.q, chunk, grad_q)

    def results(self) -> list[Tensor]:
        """Return the results in the order of the inputs, in their dtype."""
        dtype = self.work.q.dtype
        maps = [self.work.queries_inside(self.q).contiguous(), self.k.to(dtype), self.v.to(dtype)]
        return maps if self.table is None else [*maps, *(x.to(dtype) for x in self._by_table(self.table))]

    def _by_table(self, table: Tensor) -> tuple[Tensor, Tensor]:
        """(offset_y + offset_x) d -> all rows of both tables as they were given, the inverse of `_table`."""
        problem = self.work.problem
        count, (rows, width) = _offsets(problem), problem.table_shape
        both = table.new_zeros(2, rows, width)
        both[0, -count:] = table[:count, :width] * problem.position_scale
        both[1, -count:] = table[count:, -width:] * problem.position_scale
        return both[0].clone(), both[1].clone()

    def _by_offset(self, grad_logits: Tensor) -> Tensor:
        """block query slot -> (block query) (offset_y + offset_x), each slot's added where its offset is."""
        work, window = self.work, self.work.problem.window
        every, height, width = work.by_offset(grad_logits.shape[0])
        relative = work.buffer("relative", *height.shape[:3], 2 * window)
        torch.mm(grad_logits.flatten(0, 1), work.spread.mT, out=relative.flatten(0, 2))
        every.zero_()
        height.copy_(relative[..., :window])
        width.copy_(relative[..., window:])
        return every

    def _spill(self, total: Tensor, chunk: _Chunk, windows: Tensor) -> None:
        """Add block slot d to b h y x d where the slots lie; those outside the map are dropped.

        Windows overlap, their tiles of block x block slots at the same place do not: a tile of all at a time.
        """
        window, block, d = self.work.problem.window, self.work.problem.block, windows.shape[-1]
        (rows, columns), extent = chunk.shape[2:], self.work.extent(chunk)
        windows = windows.view(*chunk.shape, window, window, d)
        covered = self.work.buffer("covered", *chunk.shape[:2], *extent, d).zero_()
        for y, x in product(range(0, window, block), repeat=2):
            tile = windows[..., y : y + block, x : x + block, :]
            place = covered[:, :, y:, x:].unfold(2, tile.shape[4], block).unfold(3, tile.shape[5], block)
            place[:, :, :rows, :columns].movedim(4, 6).add_(tile)
        maps, (at_y, at_x) = chunk.maps(total), self.work.corner(chunk)
        rows_in, columns_in = (
            _overlap(at_y, extent[0], maps.shape[2]),
            _overlap(at_x, extent[1], maps.shape[3]),
        )
        covered = covered[:, :, rows_in.start - at_y :, columns_in.start - at_x :]
        place = maps[:, :, rows_in, columns_in]
        place.add_(covered[:, :, : place.shape[2], : place.shape[3]])


def _in_blocks(x: Tensor, side: int) -> Tensor:
    """b h y x d -> b h row column query_y query_x d, a view"""
    cut: Tensor = x.unflatten(3, (-1, side)).unflatten(2, (-1, side))
    return cut.transpose(3, 4)


def _overlap(at: int, extent: int, size: int) -> slice:
    """What of `extent` positions from `at` on lies on an axis of this size."""
    return slice(max(0, at), min(size, at + extent))


def _spread(window: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(slot_y + slot_x) slot: one where the slot lies in that row, or that column, of the window."""
    slot = torch.arange(window**2, device=device)
    line = torch.arange(window, device=device)[:, None]
    return torch.cat([slot // window == line, slot % window == line]).to(dtype)
