"""Where a wrong result is wrong, and whether it is what a common mistake gives."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from halobench.attention import oracle
from halobench.attention.oracle import Block, Inputs
from halobench.attention.problem import Problem

QUERIES = ("out", "dq")  # have a row for each query; gradients of keys and values one for each position
ALIKE = 1e-2  # of the size of what is compared: rounding in any dtype, and no other mistake


@dataclass(frozen=True)
class Variant:
    """A problem that is easily computed in place of the one that was asked."""

    words: str
    problem: Problem
    given: Inputs


def where(name: str, actual: Tensor, exact: Tensor, problem: Problem) -> str:
    """Say in words where a result is furthest off, or not finite: its batch, head, block and position.

    Args:
        name: `out`, or `d` and the name of an input.
        actual: a map `b h y x d`, or a table `rows width`.
        exact: of the same shape.
        problem: what was asked.
    """
    off = (actual.double() - exact).abs()
    finite = off.isfinite()
    place = [int(at) for at in _unravelled(off if finite.all() else (~finite).double())]
    if name not in ("out", "dq", "dk", "dv"):
        return f"most in row {place[0]} of {actual.shape[0]}"
    side, grid = (problem.side if name in QUERIES else problem.block), problem.grid
    batch, head, *at = place[:4]
    block = [position // side for position in at]
    edge = any(row in (0, rows - 1) for row, rows in zip(block, grid, strict=True))
    what = "query" if name in QUERIES else "position"
    return (
        f"most at batch {batch}, head {head}, {what} {at[0]}, {at[1]}, in block {block[0]}, {block[1]} "
        f"{'at the border' if edge else 'inside'} of {grid[0]} x {grid[1]}"
    )


def likeness(out: Tensor, given: Inputs, problem: Problem, chosen: list[Block]) -> str:
    """Name the common mistake that gives this output, or nothing.

    Args:
        out: `b h y x d`, of the maps that were given.
        given: inputs of these maps.
        problem: of these maps.
        chosen: the blocks in which the output counts.
    """
    places = [(..., *oracle.place(block, problem), slice(None)) for block in chosen]
    for variant in _variants(given, problem):
        other = variant.given
        found = oracle.attend(other.q, other.k, other.v, other.position, variant.problem, chosen=chosen)
        off = sum(float((out[place].double() - found[place]).norm()) for place in places)
        if off <= ALIKE * sum(float(found[place].norm()) for place in places):
            return variant.words
    return ""


def _variants(given: Inputs, problem: Problem) -> Iterator[Variant]:
    border = "zero" if problem.border == "mask" else "mask"
    yield Variant(f"border {border}", replace(problem, border=border), given)
    if problem.halo:
        yield Variant("halo 0", replace(problem, halo=0), replace(given, position=_inner(given, problem)))
    yield Variant("a scale of 1", replace(problem, scale=1.0), given)
    if problem.scale is not None:
        yield Variant("the default scale", replace(problem, scale=None), given)
    if given.position is not None:
        yield Variant("position none", replace(problem, position="none"), replace(given, position=None))
        swapped = replace(given, position=given.position[::-1])
        yield Variant("height and width of the position tables exchanged", problem, swapped)
        offset = "compact" if problem.offset == "exact" else "exact"
        yield Variant(f"offset {offset}", replace(problem, offset=offset), given)
        if problem.position_scale != 1:
            yield Variant("a position scale of 1", replace(problem, position_scale=1.0), given)


def _inner(given: Inputs, problem: Problem) -> tuple[Tensor, Tensor] | None:
    """The rows of the tables that offsets within a block have."""
    if given.position is None:
        return None
    first = 3 * problem.halo
    height, width = (table[first : first + 2 * problem.block - 1] for table in given.position)
    return height, width


def _unravelled(x: Tensor) -> tuple[Tensor, ...]:
    return torch.unravel_index(x.argmax(), x.shape)
