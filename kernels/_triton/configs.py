"""How `triton_fused` lays a problem over programs, and with what its kernels are built for a target."""

from functools import cache
from typing import NamedTuple

import triton

from halobench.attention import Problem

from .._windows import table_step

QUERIES = 64  # of a tile, where nothing speaks for fewer
FEWEST = 16  # what a product of matrices takes along an axis
ENOUGH = 1024  # programs: about two waves of four on each of an H200's 132 multiprocessors
MOST_EACH = 8  # heads a program
INTERPRETER = "interpreter"  # a target, too
WARPGROUPS = ("sm_90", "sm_100", "sm_103", INTERPRETER)


class Config(NamedTuple):
    """What a kernel can be built with, to the same result but for rounding."""

    chunk: int  # slots a step
    queries: int = QUERIES  # of a tile, at most
    each: int = 1  # heads a program computes, one after the other: its place is found once
    registers: int = 255  # a thread, at most: fewer let more programs run on a multiprocessor
    stages: int = 1  # of a pipeline that loads the next step's keys and values
    warps: int = 4  # a warpgroup multiplies 64 queries; twice as many warps would do the same twice

    def options(self, target: str) -> dict[str, int]:
        """Return the options of Triton's launch."""
        options = {"num_warps": self.warps, "num_stages": self.stages}
        return options | {"maxnreg": self.registers} if target.startswith("sm_") else options


# What is used where nothing was tried, by most channels of a key and its value (and of what a window has more
# than 16 rows and columns). Of Hopper measured on an H200 (docs/measured): one more program at a time on a
# multiprocessor is worth more than the spills that it costs. Of others read off `inspect`, the fewest cycles
# of those that do not spill. Kinds of target are in `_kind`.
HALVES = {
    ("forward", "hopper"): {
        32: Config(64, each=4, registers=128),
        96: Config(64, registers=128),
        1024: Config(64, registers=168),
    },
    ("forward", "ampere"): {64: Config(64, each=4), 128: Config(64), 1024: Config(64, queries=32)},
    ("forward", "amd"): {128: Config(64), 1024: Config(32)},
    ("backward", "hopper"): {64: Config(64, registers=168), 1024: Config(64)},
    ("backward", "ampere"): {
        48: Config(64),
        64: Config(32),
        128: Config(32, queries=32),
        1024: Config(16),
    },
    ("backward", "amd"): {1024: Config(16)},
}
SINGLES = {  # float32 takes three times the products, and registers: see docs/triton_fused.md
    "forward": {48: Config(32, queries=32), 1024: Config(32, queries=16)},
    "backward": {1024: Config(16, queries=16)},
}
TRIALS: dict[str, list[dict[str, int]]] = {  # what else is worth one, and why
    "forward": [
        {"each": 1},  # more and shorter programs fill the last wave
        {"each": 4},  # fewer instructions
        {"registers": 128},  # four programs a multiprocessor, and some spills
        {"registers": 168},  # three
        {"registers": 255},  # two, that compute nothing again
        {"chunk": 32},  # fewer registers for logits
    ],
    "backward": [
        {"registers": 168},  # three programs a multiprocessor, and some spills
        {"registers": 255},  # two
        {"chunk": 32},  # fewer registers for logits
        {"chunk": 32, "registers": 128},  # four programs
        {"stages": 2},  # loads wait for products, not products for loads
    ],
}


@cache
def configs(kernel: str, problem: Problem, target: str) -> list[Config]:
    """All that are worth a trial, first the one that is used where none was tried."""
    singles = problem.dtype in ("float32", "float64") and target != INTERPRETER
    by_width = SINGLES[kernel] if singles else HALVES[kernel, _kind(target)]
    width = power(problem.dim_qk) + power(problem.dim_v) + 2 * (power(problem.window) - FEWEST)
    first = next(config for most, config in by_width.items() if width <= most)
    while first.each > 1 and (problem.heads % first.each or programs(problem, first) < ENOUGH):
        first = first._replace(each=first.each // 2)
    others = [first._replace(**change) for change in TRIALS[kernel]]
    return list(dict.fromkeys([first, *(other for other in others if problem.heads % other.each == 0)]))


def _kind(target: str) -> str:
    """Products of Ampere, and of all cards for desktops, read registers; others of NVIDIA shared memory."""
    if target.startswith("gfx"):
        return "amd"
    return "hopper" if target in WARPGROUPS else "ampere"


@cache
def tile(side: int, queries: int) -> tuple[int, int]:
    """Rows and columns of a program's part of the queries of a block, powers of two.

    Of all shapes the one that needs the fewest tiles, then the squarest: relative logits take room for
    each row and each column.
    """
    count = max(FEWEST, min(queries, int(triton.next_power_of_2(side)) ** 2))
    shapes = [(count // columns, columns) for columns in (16, 8, 4) if columns * 4 <= count]
    return min(shapes, key=lambda shape: (_tiles(side, shape), max(shape)))


def tiles(side: int, queries: int) -> int:
    """Count the tiles of a block."""
    return _tiles(side, tile(side, queries))


def _tiles(side: int, shape: tuple[int, int]) -> int:
    rows, columns = shape
    return -(-side // rows) * -(-side // columns)


def live(problem: Problem, config: Config) -> int:
    """Rows of a table that the queries of a tile need along an axis, a power of two."""
    return power(problem.window + table_step(problem) * (max(tile(problem.side, config.queries)) - 1))


def programs(problem: Problem, config: Config) -> int:
    rows, columns = problem.grid
    blocks = problem.batch * problem.heads * rows * columns
    return blocks * tiles(problem.side, config.queries) // config.each


def most_slots(problem: Problem) -> int:
    """Inside the map, of any window."""
    return min(problem.window, problem.height) * min(problem.window, problem.width)


def slots(problem: Problem) -> int:
    """Padding of tiles included, and of the sixteen slots that a window's guess and rest are made of."""
    rows, columns = tile(problem.side, QUERIES)
    height, width = (_inside(problem, size) for size in (problem.height, problem.width))
    visited = sum((y * x // FEWEST + 1) * FEWEST for y in height for x in width)
    return problem.batch * problem.heads * tiles(problem.side, QUERIES) * rows * columns * visited


def _inside(problem: Problem, size: int) -> list[int]:
    """Along an axis of the map: positions of every window that lie inside."""
    starts = range(0, size, problem.block)
    return [min(size, at + problem.block + problem.halo) - max(0, at - problem.halo) for at in starts]


def power(n: int) -> int:
    """Return the smallest power of two that holds n."""
    return max(FEWEST, int(triton.next_power_of_2(n)))
