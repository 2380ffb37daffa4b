"""NATTEN's neighborhood attention, whose window moves a block at a time; no tables of relative positions.

At the map's edges NATTEN moves the window inside. Around a map padded with zeros it has no need to: that is
border `zero`, and the padding is our copy. With border `mask` it means the same where no window is cut off at
the edge, or every window is the whole map. Without its CUDA library it runs on torch's FlexAttention, not
compiled, which computes every pair.
"""

import math
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from torch import Tensor
from torch.nn.functional import pad

from halobench.attention import Position, Problem, attention

from ._limits import first, shared_limits

if find_spec("natten") is None:  # importing it takes a second, so that is done where it is used
    raise ModuleNotFoundError("No module named 'natten'", name="natten")


@dataclass(frozen=True)
class _Axis:
    """Along one axis: zeros around the map, the size of the window and how far it moves."""

    size: int
    before: int
    after: int
    window: int
    step: int

    @property
    def padded(self) -> int:
        return self.before + self.size + self.after


def _axis(size: int, problem: Problem) -> _Axis | None:
    """Return an axis as NATTEN sees it; None where it cannot mean that."""
    block, halo, count = problem.block, problem.halo, math.ceil(size / problem.block)
    if problem.border == "zero":
        before = math.ceil(halo / block) * block  # whole blocks, or the window would move at other places
        return _Axis(size, before, count * block - size + halo, problem.window, block)
    if halo == 0 and size % block == 0:
        return _Axis(size, 0, 0, block, block)
    return _Axis(size, 0, 0, size, 1) if halo >= (count - 1) * block else None


def _axes(problem: Problem) -> list[_Axis]:
    """Both, or fewer where NATTEN cannot mean the problem."""
    axes = _axis(problem.height, problem), _axis(problem.width, problem)
    return [axis for axis in axes if axis is not None]


def _beyond_natten(problem: Problem, device: str, direction: str) -> str | None:
    axes = _axes(problem)
    limits = {
        "position none only": problem.position != "none",
        "border mask only where no window is cut off at the edge or each is the whole map": len(axes) < 2,
        "windows of 2 positions a side or more only": any(axis.window < 2 for axis in axes),
        "scale 0 is taken for the default": problem.logit_scale == 0,
        "float64 is not supported": problem.dtype == "float64",
        "no backward pass on a CPU": device == "cpu" and direction != "forward",
    }
    return first(limits | shared_limits(problem))


def _slots(problem: Problem) -> int:
    """Windows of all queries of the padded map; without its own library, all pairs of that."""
    axes = _axes(problem)
    queries = math.prod(axis.padded for axis in axes)
    keys = math.prod(axis.window if import_module("natten").HAS_LIBNATTEN else axis.padded for axis in axes)
    return problem.batch * problem.heads * queries * keys


def _adapt(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> tuple[Tensor, ...]:
    """b h y x d -> b y x h d, zeros around the map; in memory too on a GPU, where its kernels want that."""
    y, x = _axes(problem)
    zeros = 0, 0, 0, 0, x.before, x.after, y.before, y.after
    maps = (each.permute(0, 2, 3, 1, 4) for each in (q, k, v))
    if any(zeros):
        maps = (pad(each, zeros) for each in maps)
    return tuple(each.contiguous() if each.is_cuda else each for each in maps)


@attention("natten", unsupported=_beyond_natten, slots=_slots, adapt=_adapt, imports=("natten",))
def natten(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    y, x = _axes(problem)
    q, k, v = _adapt(q, k, v, position, problem)
    out: Tensor = import_module("natten").na2d(
        q, k, v, kernel_size=(y.window, x.window), stride=(y.step, x.step), scale=problem.logit_scale
    )
    inside = out[:, y.before : y.before + y.size, x.before : x.before + x.size]
    return inside.permute(0, 3, 1, 2, 4)
