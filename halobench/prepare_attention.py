"""One call of halo attention on random maps, forward or forward and backward, checked against the oracle."""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from halobench import check, oracle
from halobench.attention import find
from halobench.check import Truth, Verdict
from halobench.clock import Call
from halobench.oracle import Inputs
from halobench.prepare import Ready, Settings, first_call, shared
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
        seconds = first_call(lambda: results.update(check.run(attend, problem, given, grad_out)), case.device)
        return seconds, check.judge(results, problem, given, known)

    def call() -> object:
        return check.run(attend, problem, given, given.grad_out if backward else None)

    return Ready(call, first, _adapting(case, given))


def _adapting(case: AttentionCase, given: Inputs) -> Call | None:
    """What the wrapper of others' code does to the inputs, and to their gradients."""
    adapt = find(case.implementation).adapt
    if adapt is None:
        return None
    backward = case.direction == "forward_backward"
    q, k, v, *tables = leaves = [x.detach().requires_grad_(backward) for x in given.tensors.values()]
    position = (tables[0], tables[1]) if tables else None
    once = partial(adapt, q, k, v, position, case.problem)
    ones = [torch.ones_like(x) for x in once()]

    def call() -> None:
        results = once()
        if learnt := [(x, one) for x, one in zip(results, ones, strict=True) if x.requires_grad]:
            outputs, gradients = zip(*learnt, strict=True)
            torch.autograd.grad(outputs, leaves, gradients, allow_unused=True)

    return call


def _truth(problem: Problem, given: Inputs, settings: Settings) -> Truth:
    """Shared by all implementations; of the output's gradient only what is not zero."""

    def make() -> Truth:
        known = check.truth(problem, given, settings.seed)
        return replace(known, grad_out=known.grad_out[known.maps].clone())

    known = shared(settings, f"{problem} {settings.seed} {given.q.device}", make)
    grad_out = torch.zeros_like(given.grad_out)
    grad_out[known.maps] = known.grad_out
    return replace(known, grad_out=grad_out)
