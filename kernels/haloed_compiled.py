"""`haloed_blocked` under torch.compile: what a user would try first."""

from torch import Tensor

from halobench.attention import Position, Problem, attention
from halobench.attention.implementation import IMPLEMENTATIONS

from ._compile import compiled, needs_compiler


@attention("haloed_compiled", unsupported=needs_compiler, compile_s=12.0)
def haloed_compiled(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    out: Tensor = compiled(IMPLEMENTATIONS["haloed_blocked"].attend, problem)(q, k, v, position, problem)
    return out
