"""One call of halo attention on random maps, forward or forward and backward, checked against the oracle."""

from dataclasses import replace

import torch
from torch import Tensor

from halobench import check, clock, oracle
from halobench.attention import find
from halobench.check import Truth, Verdict
from halobench.oracle import Inputs
from halobench.prepare import Ready, Settings, shared
from halobench.problem import AttentionCase, Problem
from halobench.record import Work


def unsupported(case: AttentionCase) -> str | None:
    return find(case.implementation).unsupported(case.problem, case.device, case.direction)


def work(case: AttentionCase) -> Work:
    problem, direction = case.problem, case.direction
    slots = find(case.implementation).slots(problem)
    return Work(problem.flop(direction), problem.flop(direction, slots), problem.min_bytes(direction))


def prepare(case: AttentionCase, settings: Settings) -> Ready:
    attend, problem = find(case.implementation).attend, case.problem
    given = oracle.inputs(problem, case.layout, case.device, settings.seed)
    known = _truth(problem, given, settings)
    backward = case.direction == "forward_backward"

    def first() -> tuple[float, Verdict]:
        results: dict[str, Tensor] = {}
        grad_out = known.grad_out if backward else None
        seconds = clock.timed(
            lambda: results.update(check.run(attend, problem, given, grad_out)), case.device
        )
        return seconds, check.judge(results, problem, given, known)

    def call() -> object:
        return check.run(attend, problem, given, given.grad_out if backward else None)

    return Ready(call, first)


def _truth(problem: Problem, given: Inputs, settings: Settings) -> Truth:
    """Shared by all implementations; of the output's gradient only what is not zero."""

    def make() -> Truth:
        known = check.truth(problem, given, settings.seed)
        return replace(known, grad_out=known.grad_out[known.maps].clone())

    known = shared(settings, f"{problem} {settings.seed} {given.q.device}", make)
    grad_out = torch.zeros_like(given.grad_out)
    grad_out[known.maps] = known.grad_out
    return replace(known, grad_out=grad_out)
