"""A copy of the window for every block, in plain torch operations: as the paper has it (arXiv 2103.12731)."""

from torch import Tensor

from halobench.attention import Position, Problem, attention

from ._windows import bias, blocks, unblock, windows


@attention("haloed_blocked")
def haloed_blocked(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    q, k, v = blocks(q, problem), windows(k, problem), windows(v, problem)
    logits = (q * problem.logit_scale) @ k.mT
    if (added := bias(q, position, problem)) is not None:
        logits = logits + added
    return unblock(logits.softmax(-1) @ v, problem)
