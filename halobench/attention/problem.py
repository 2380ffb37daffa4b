"""An attention problem: the operation's options and sizes, its shapes, and the work that it asks for."""

import dataclasses
import math
from dataclasses import dataclass
from typing import get_args

from halobench.axes import Border, Dtype, Offset, Position
from halobench.errors import ImpossibleProblem

BYTES_PER_ELEMENT = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}
CHOICES = {
    "dtype": get_args(Dtype),
    "border": get_args(Border),
    "position": get_args(Position),
    "offset": get_args(Offset),
}
LEAST = {"height": 1, "width": 1, "block": 1, "heads": 1, "dim_qk": 1, "dim_v": 1, "stride": 1}
LEAST |= {"batch": 0, "halo": 0}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Halo attention over a feature map.

    The map is cut into blocks of `block` x `block` positions from the top left; the last ones may
    be cut off. The queries of a block (every `stride`-th position of it) attend to its window: the
    block and `halo` positions around it. Slots of a window that lie outside the map get no weight
    (border `mask`) or are keys and values of zero (border `zero`).
    """

    height: int
    width: int
    block: int
    halo: int
    batch: int = 1
    heads: int = 1
    dim_qk: int = 16
    dim_v: int = 16
    stride: int = 1
    border: str = "mask"
    position: str = "none"
    offset: str = "exact"
    scale: float | None = None  # None: dim_qk ** -0.5
    position_scale: float = 1.0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise ImpossibleProblem(f"{name} must be {least} or more, not {getattr(self, name)}")
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                given = getattr(self, name)
                raise ImpossibleProblem(f"{name} must be one of {', '.join(allowed)}, not {given!r}")
        scale = _finite("scale", self.scale)
        default = scale is None or scale == self.dim_qk**-0.5  # or one problem would have two names
        object.__setattr__(self, "scale", None if default else scale)
        object.__setattr__(self, "position_scale", _finite("position_scale", self.position_scale))
        if self.block % self.stride:
            raise ImpossibleProblem(f"stride {self.stride} does not divide block {self.block}")
        if self.position == "split" and self.dim_qk % 2:
            raise ImpossibleProblem(f"position split halves dim_qk, and {self.dim_qk} is odd")

    @property
    def window(self) -> int:
        """Slots of a window along one axis."""
        return self.block + 2 * self.halo

    @property
    def side(self) -> int:
        """Queries of a whole block along one axis."""
        return self.block // self.stride

    @property
    def logit_scale(self) -> float:
        """What q.k is multiplied by."""
        return float(self.dim_qk**-0.5) if self.scale is None else self.scale

    @property
    def grid(self) -> tuple[int, int]:
        """Blocks along each axis, those cut off included."""
        return math.ceil(self.height / self.block), math.ceil(self.width / self.block)

    @property
    def queries(self) -> tuple[int, int]:
        """Queries along each axis of the map."""
        return math.ceil(self.height / self.stride), math.ceil(self.width / self.stride)

    @property
    def whole_blocks(self) -> bool:
        """Whether no block is cut off."""
        return self.height % self.block == 0 and self.width % self.block == 0

    @property
    def reaches_outside(self) -> bool:
        """Whether some window has slots outside the map: by its halo, or because its block is cut off."""
        return self.halo > 0 or not self.whole_blocks

    @property
    def q_shape(self) -> tuple[int, int, int, int, int]:
        """b h y x d"""
        return self.batch, self.heads, *self.queries, self.dim_qk

    @property
    def k_shape(self) -> tuple[int, int, int, int, int]:
        """b h y x d"""
        return self.batch, self.heads, self.height, self.width, self.dim_qk

    @property
    def v_shape(self) -> tuple[int, int, int, int, int]:
        """b h y x d"""
        return self.batch, self.heads, self.height, self.width, self.dim_v

    @property
    def out_shape(self) -> tuple[int, int, int, int, int]:
        """b h y x d"""
        return self.batch, self.heads, *self.queries, self.dim_v

    @property
    def dim_rel(self) -> int:
        """Width of the tables of relative positions; 0 without."""
        return {"none": 0, "sum": self.dim_qk, "split": self.dim_qk // 2}[self.position]

    @property
    def table_shape(self) -> tuple[int, int]:
        """The shape of each of the two tables: a row for every offset, unused ones included."""
        return 2 * self.window - 1, self.dim_rel

    def pairs(self) -> int:
        """Query-key pairs inside the map, over all batches and heads; the same for both borders."""
        return self.batch * self.heads * self._axis_pairs(self.height) * self._axis_pairs(self.width)

    def slots(self) -> int:
        """Query-slot pairs of whole blocks and whole windows: computed where nothing is skipped."""
        blocks = self.grid[0] * self.grid[1]
        return self.batch * self.heads * blocks * self.side**2 * self.window**2

    def flop(self, direction: str = "forward", slots: int | None = None) -> int:
        """Count operations over pairs or the given slots; forward_backward counts as three forward passes."""
        pairs = self.pairs() if slots is None else slots
        products = 2 * pairs * (self.dim_qk + self.dim_v)
        relative = 4 * math.prod(self.q_shape[:4]) * self.window * self.dim_rel
        return (products + relative) * (3 if direction == "forward_backward" else 1)

    def min_bytes(self, direction: str = "forward") -> int:
        """Bytes that any implementation moves: q, k, v, tables and output once.

        With the backward pass also the gradients of all of them, and q, k and v again.
        """
        q, k, v, out = map(math.prod, (self.q_shape, self.k_shape, self.v_shape, self.out_shape))
        elements = q + k + v + out + 2 * math.prod(self.table_shape)
        if direction == "forward_backward":
            elements += elements + q + k + v
        return elements * BYTES_PER_ELEMENT[self.dtype]

    def _axis_pairs(self, size: int) -> int:
        """Queries times the positions that each sees, along an axis; in closed form, as maps may be huge."""
        block, halo = self.block, self.halo
        whole, rest = divmod(size, block)
        inside = min(whole, max(0, (size - halo) // block))  # whole blocks whose halo behind lies on the map
        ends = block * _triangle(inside) + halo * inside + (whole - inside) * size
        before = min(
            whole - 1, halo // block
        )  # the last whole block whose halo before leaves the map, or ends at it
        starts = (
            block * (_triangle(whole - 1) - _triangle(before)) - halo * (whole - 1 - before) if whole else 0
        )
        pairs = self.side * (ends - starts)
        if rest:
            pairs += math.ceil(rest / self.stride) * (size - max(0, whole * block - halo))
        return pairs


def _triangle(count: int) -> int:
    """The sum of the numbers up to `count`."""
    return count * (count + 1) // 2


PROBLEM_FIELDS = tuple(field.name for field in dataclasses.fields(Problem))


def _finite(name: str, value: float | None) -> float | None:
    """The number, of the two zeros the positive one."""
    if value is None:
        return None
    if not math.isfinite(value):
        raise ImpossibleProblem(f"{name} must be a finite number, not {value}")
    return value + 0.0
