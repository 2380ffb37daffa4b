"""One call of halo attention on random maps, forward or forward and backward, checked against the oracle."""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from halobench.attention import check, oracle
from halobench.attention.check import Truth, Verdict
from halobench.attention.implementation import IMPLEMENTATIONS, Implementation
from halobench.attention.oracle import Inputs
from halobench.attention.problem import Problem
from halobench.case import AttentionCase
from halobench.device.clock import Call
from halobench.device.device import Device
from halobench.measure.workload import Judged, PreparedCase, Settings, first_call, shared, short_of_memory
from halobench.plugins import told
from halobench.results.record import Work

SETS = 3  # of inputs
BLOCKS = 3  # along an axis of a map on which gradients are judged where the whole would take too long


def unsupported(case: AttentionCase) -> str | None:
    return IMPLEMENTATIONS[case.implementation].unsupported(case.problem, case.device, case.direction)


def work(case: AttentionCase) -> Work:
    problem, direction = case.problem, case.direction
    slots = IMPLEMENTATIONS[case.implementation].slots(problem)
    return Work(problem.flop(direction), problem.flop(direction, slots), problem.min_bytes(direction))


def prepare(case: AttentionCase, settings: Settings, device: Device) -> PreparedCase:
    entry, problem = IMPLEMENTATIONS[case.implementation], case.problem
    ring = _ring(case, settings)
    live = ring[0][0].clone()
    backward = case.direction == "forward_backward"

    def call() -> dict[str, Tensor]:
        return check.run(entry.attend, problem, live, live.grad_out if backward else None)

    def first() -> tuple[float, Judged]:
        results: dict[str, Tensor] = {}
        seconds = first_call(lambda: results.update(call()), device)
        judged = judge(0, results)
        return seconds, judged if judged.wrong else _worse(judged, _gradients(entry, case, settings))

    def judge(turn: int, results: dict[str, Tensor]) -> Judged:
        if changed := check.changed(live, ring[turn][0]):
            return Judged(wrong=f"it changes its inputs: {', '.join(changed)}")
        given, known = ring[turn]
        return _judged(check.judge(_judgeable(results, problem, known), problem, given, known))

    return PreparedCase(
        call=call,
        first=first,
        write=lambda turn: live.write(ring[turn][0]),
        judge=judge,
        sets=SETS,
        adapt=_adapting(case, live),
    )


def foresee(case: AttentionCase, settings: Settings) -> None:
    """Ask the oracle what all cases of this problem share, where none has asked before."""
    _ring(case, settings)


def _ring(case: AttentionCase, settings: Settings) -> list[tuple[Inputs, Truth]]:
    """Sets of inputs, and what they must come to; what is allowed is worked out for the first."""
    ring: list[tuple[Inputs, Truth]] = []
    for seed in range(settings.seed, settings.seed + SETS):
        given = oracle.inputs(case.problem, case.layout, case.device, seed)
        bounds = ring[0][1].bounds if ring else None
        ring.append((given, _truth(case.problem, given, settings, seed, bounds)))
    return ring


def _judgeable(results: dict[str, Tensor], problem: Problem, known: Truth) -> dict[str, Tensor]:
    """All results, or where the truth is known of some blocks only, what these blocks alone decide."""
    if known.whole:
        return results
    seen = {name: x for name, x in results.items() if name in ("out", "dq")}
    return {name: check.only(x, known.maps, known.chosen, problem) for name, x in seen.items()}


def _gradients(entry: Implementation, case: AttentionCase, settings: Settings) -> Judged:
    """Judge gradients that the case's own calls do not show.

    A large forward problem is cut down for it. An implementation without a backward pass says so, and is not
    asked for gradients.
    """
    problem = case.problem
    if case.direction == "forward" and max(problem.slots(), entry.slots(problem)) > check.WHOLE:
        problem = _part(problem)
    if entry.unsupported(problem, case.device, "forward_backward") is not None:
        return Judged()
    given = oracle.inputs(problem, case.layout, case.device, settings.seed)
    known = _truth(problem, given, settings, settings.seed)
    if case.direction == "forward_backward" and known.whole:
        return Judged()  # its calls show them
    try:
        results = check.run(entry.attend, problem, given, known.grad_out)
    except RuntimeError as error:
        if case.direction == "forward_backward" or short_of_memory(error):
            raise
        return Judged(wrong=f"it has no gradients, and does not say that it is unsupported: {told(error)}")
    return _judged(check.judge(results, problem, given, known))


def _part(problem: Problem) -> Problem:
    """The same on one small map, whose last blocks are cut off where those of the problem are."""
    height, width = (_few_blocks(size, problem.block) for size in (problem.height, problem.width))
    heads = min(problem.heads, 2)
    return replace(problem, batch=min(problem.batch, 1), heads=heads, height=height, width=width)


def _few_blocks(size: int, block: int) -> int:
    return size if size <= BLOCKS * block else (BLOCKS - 1) * block + (size % block or block)


def _judged(verdict: Verdict) -> Judged:
    return Judged(verdict.error, "" if verdict.right else str(verdict))


def _worse(one: Judged, other: Judged) -> Judged:
    errors = [each.error for each in (one, other) if each.error is not None]
    return Judged(check.largest(errors), one.wrong or other.wrong)


def _adapting(case: AttentionCase, given: Inputs) -> Call | None:
    """What the wrapper of others' code does to the inputs, and to their gradients."""
    adapt = IMPLEMENTATIONS[case.implementation].adapt
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


def _truth(
    problem: Problem, given: Inputs, settings: Settings, seed: int, bounds: dict[str, float] | None = None
) -> Truth:
    """Shared by all implementations; of the output's gradient only what is not zero."""

    def make() -> Truth:
        known = check.truth(problem, given, settings.seed, bounds)
        return replace(known, grad_out=known.grad_out[known.maps].clone())

    known = shared(settings, f"{problem} {seed} {given.q.device}", make)
    grad_out = torch.zeros_like(given.grad_out)
    grad_out[known.maps] = known.grad_out
    return replace(known, grad_out=grad_out)
