"""What wrappers of published layers share: their forward without their weights, maps and tables for it."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from halobench.attention import Position, Problem


def forward_of(module: nn.Module, **given: object) -> Callable[..., Any]:
    """The forward of a module's class, with the module's settings, and what is given for its weights.

    Nothing is written into a module, which others may be using, and nothing is kept after the call.
    """
    return partial(type(module).forward, SimpleNamespace(**vars(module), **given))


def no_position(q: Tensor) -> object:
    """What stands for relative logits: a zero would be a pass over all the logits it is added to."""
    return _Nothing()


class _Nothing:
    def __radd__(self, logits: Tensor) -> Tensor:
        return logits


def as_map(x: Tensor) -> Tensor:
    """b h y x d -> batch channels height width, a head's channels in a row; a view where memory allows."""
    return x.permute(0, 1, 4, 2, 3).flatten(1, 2)


def heads_of(x: Tensor, problem: Problem) -> Tensor:
    """batch channels height width -> b h y x d, a view."""
    split: Tensor = x.unflatten(1, (problem.heads, -1))
    return split.permute(0, 1, 3, 4, 2)


def summed_tables(position: Position, problem: Problem, factor: float) -> tuple[Tensor, ...]:
    """Tables times a factor, as wide as the queries: those of half the channels are padded with zeros."""
    if position is None:
        return ()
    height, width = (table if factor == 1 else table * factor for table in position)
    if problem.position == "split":
        return pad(height, (0, problem.dim_rel)), pad(width, (problem.dim_rel, 0))
    return height, width
