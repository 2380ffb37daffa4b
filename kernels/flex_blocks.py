"""FlexAttention on positions in the order of blocks: a mask of the windows, relative logits looked up.

In that order most pairs of FlexAttention's tiles of queries and keys have nothing in common and are skipped;
of the others all is computed. The mask follows from the problem alone: it is made once, and kept.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from halobench.attention import Position, Problem, attention

from ._compile import compiled, needs_compiler
from ._limits import first
from ._windows import blocks, relative_logits, unblock

TILE = 128  # queries and keys that are computed or skipped together: FlexAttention's default
LEAST_DIM = 16  # channels a head, of FlexAttention's kernels for GPUs
ROOM = 2**22  # pairs of a block and a key that are looked at together
FAR = 2**24  # a place in no window
FLEX = "torch.nn.attention.flex_attention"  # importing it takes half a second: done where it is used


class _Places(NamedTuple):
    """The places of keys on the map and of the windows of queries, by index in the order of blocks."""

    key_y: Tensor
    key_x: Tensor
    start_y: Tensor
    start_x: Tensor

    def slot(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Row and column of the query's window; any number where the key does not lie in it."""
        return self.key_y[key] - self.start_y[query], self.key_x[key] - self.start_x[query]


def _beyond_flex(problem: Problem, device: str, direction: str) -> str | None:
    cpu, narrow = device == "cpu", min(problem.dim_qk, problem.dim_v)
    limits = {
        "needs a batch of 1 or more": problem.batch == 0,
        "float64 is not supported": problem.dtype == "float64",
        "no backward pass on a CPU": cpu and direction != "forward",
        "needs a CPU with AVX2": cpu and not torch.cpu._is_avx2_supported(),
        f"{LEAST_DIM} channels a head or more on a GPU, not {narrow}": not cpu and narrow < LEAST_DIM,
    }
    return first(limits) or needs_compiler(problem, device, direction)


def _slots(problem: Problem) -> int:
    """All pairs of the tiles that are not skipped."""
    places = _places(problem, "cpu")
    queries, keys = (_sizes(len(axis)) for axis in (places.start_y, places.key_y))
    computed = queries @ _needed(problem, places).long() @ keys
    return problem.batch * problem.heads * int(computed)


@attention("flex_blocks", unsupported=_beyond_flex, slots=_slots, imports=(FLEX,), compile_s=12.0)
def flex_blocks(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    q, k, v = blocks(q, problem), _in_blocks(k, problem), _in_blocks(v, problem)
    relative = None
    if position is not None:
        height, width = relative_logits(q, position, problem)
        relative = height.flatten(2, 4), width.flatten(2, 4)  # b h query slot_y and … slot_x
    places, mask = _prepared(problem, q.device.type)
    out: Tensor = compiled(_attend, problem)(q.flatten(2, 3), k, v, relative, problem, places, mask)
    return unblock(out.unflatten(2, q.shape[2:4]), problem)


def _attend(  # noqa: PLR0913  what is compiled; with what leads to it torch 2.14 cannot do it on a CPU
    q: Tensor, k: Tensor, v: Tensor, relative: Position, problem: Problem, places: _Places, mask: Any
) -> Tensor:
    """b h query d and b h key d, in the order of blocks."""
    from torch.nn.attention.flex_attention import flex_attention  # noqa: PLC0415  see FLEX

    added = None if relative is None else _look_up(relative, problem, places)
    out: Tensor = flex_attention(q, k, v, added, mask, scale=problem.logit_scale)
    return out


def _look_up(relative: tuple[Tensor, Tensor], problem: Problem, places: _Places) -> Callable[..., Tensor]:
    """What adds to a score the relative logits of its query."""
    height, width = relative

    def added(score: Tensor, b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        slot_y, slot_x = (slot.clamp(0, problem.window - 1) for slot in places.slot(query, key))
        return score + (height[b, h, query, slot_y] + width[b, h, query, slot_x])

    return added


def _in_blocks(x: Tensor, problem: Problem) -> Tensor:
    """b h y x d -> b h key d: whole blocks, with those around the map that have weight, zero there."""
    block, margin = problem.block, problem.block * _margin(problem)
    rows, columns = (count * block for count in problem.grid)
    x = pad(x, (0, 0, margin, columns - x.shape[3] + margin, margin, rows - x.shape[2] + margin))
    cut: Tensor = x.unflatten(3, (-1, block)).unflatten(2, (-1, block))
    return cut.transpose(3, 4).flatten(2, 5)


def _margin(problem: Problem) -> int:
    """Blocks around the map that windows reach into and that have weight."""
    return math.ceil(problem.halo / problem.block) if problem.border == "zero" else 0


@cache
@torch.inference_mode(False)  # what is kept must serve a training step too
def _prepared(problem: Problem, device: str) -> tuple[_Places, Any]:
    """Places and the mask: which tiles are computed, and which of their pairs count."""
    from torch.nn.attention.flex_attention import BlockMask  # noqa: PLC0415  see FLEX

    places = _places(problem, device)

    def in_window(b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return _in_window(places, query, key, problem)

    needed = _needed(problem, places)
    mask = BlockMask.from_kv_blocks(
        needed.sum(-1, dtype=torch.int32)[None, None],
        needed.int().argsort(descending=True, stable=True).int()[None, None],  # needed tiles first
        BLOCK_SIZE=TILE,
        mask_mod=in_window,
        seq_lengths=(len(places.start_y), len(places.key_y)),
    )
    return places, mask


def _places(problem: Problem, device: str) -> _Places:
    block, side, margin = problem.block, problem.side, _margin(problem)
    keys, starts = [], []
    for count, size in zip(problem.grid, (problem.height, problem.width), strict=True):
        at = torch.arange(-margin * block, (count + margin) * block, device=device)
        outside = ((at < 0) | (at >= size)) if problem.border == "mask" else torch.zeros_like(at).bool()
        keys.append(at.masked_fill(outside, FAR).int())
        starts.append((torch.arange(count * side, device=device) // side * block - problem.halo).int())
    return _Places(*_by_block(keys, block), *_by_block(starts, side))


def _by_block(axes: list[Tensor], side: int) -> tuple[Tensor, ...]:
    """Along each axis -> for each place of the map of both, in the order of blocks of side x side."""
    y, x = axes
    shape = len(y) // side, len(x) // side, side, side
    both = y.view(-1, 1, side, 1).expand(shape), x.view(1, -1, 1, side).expand(shape)
    return tuple(axis.flatten().contiguous() for axis in both)


def _needed(problem: Problem, places: _Places) -> Tensor:
    """query_tile key_tile: whether some query of the one sees some key of the other."""
    queries, keys, a_block = len(places.start_y), len(places.key_y), problem.side**2
    index = torch.arange(max(queries, keys), device=places.key_y.device)
    starts = index[:queries:a_block]  # the queries of a block see the same
    parts = starts[:, None].split(max(1, ROOM // keys))  # of a large map not all pairs at once
    seen = (pad(_in_window(places, part, index[:keys], problem), (0, -keys % TILE)) for part in parts)
    seen_tile = torch.cat([part.unflatten(1, (-1, TILE)).any(-1) for part in seen])  # block key_tile
    tiles = index[: math.ceil(queries / TILE), None] * TILE
    blocks_of = (starts < tiles + TILE) & (starts + a_block > tiles)  # query_tile block
    return blocks_of.float().mm(seen_tile.float()) > 0


def _in_window(places: _Places, query: Tensor, key: Tensor, problem: Problem) -> Tensor:
    y, x = places.slot(query, key)
    return (y >= 0) & (y < problem.window) & (x >= 0) & (x < problem.window)


def _sizes(count: int) -> Tensor:
    """Return the sizes of tiles: the last may be cut off."""
    return (count - torch.arange(0, count, TILE)).clamp(max=TILE)
