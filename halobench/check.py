"""Is an implementation right? Judged against the oracle, output and every gradient, before it is timed."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isnan

import torch
from torch import Tensor

from halobench import oracle
from halobench.attention import Attend, Attention
from halobench.oracle import Block, Inputs
from halobench.problem import Problem

SLACK = 3  # how many times the error of the dense formula in the same dtype is still right
FLOAT64 = 1e-12  # what is right in float64, the oracle's own dtype
WHOLE = 2**24  # up to as many query-slot pairs, every block of every map is checked
SAMPLED = 4  # random blocks of a random map that are checked beyond


@dataclass(frozen=True)
class Truth:
    """What the oracle says of a problem: on all of it, or on chosen blocks of one map."""

    exact: dict[str, Tensor]  # `out` and `d` + name of every input, float64
    bounds: dict[str, float]  # largest relative error that is still right
    grad_out: Tensor  # zero outside what is checked
    maps: tuple[slice, slice]  # of batch and head
    chosen: list[Block]

    @property
    def whole(self) -> bool:
        """Whether every block of every map is judged."""
        return self.maps == (slice(None), slice(None))


@dataclass(frozen=True)
class Verdict:
    """Relative Frobenius errors of the output and of each gradient, and what is allowed."""

    errors: dict[str, float]
    bounds: dict[str, float]

    @property
    def right(self) -> bool:
        return all(error <= self.bounds[name] for name, error in self.errors.items())  # False for nan

    @property
    def error(self) -> float:
        """The largest."""
        return largest(self.errors.values())

    def __str__(self) -> str:
        """The worst one, as a reason: how far it is off, and what is allowed."""
        wrong = {name: error for name, error in self.errors.items() if not error <= self.bounds[name]}
        worst = max(wrong or self.errors, key=lambda name: self.errors[name] / self.bounds[name])
        return f"{worst} is off by {self.errors[worst]:.2e}, allowed {self.bounds[worst]:.2e}"


def truth(problem: Problem, given: Inputs, seed: int = 0) -> Truth:
    """Ask the oracle; where the problem is large, about random blocks and their windows only.

    A block depends on nothing but its window, so that the output's gradient is set to zero elsewhere.
    """
    maps, chosen = _what(problem, seed)
    grad_out = _only(given.grad_out, maps, chosen, problem)
    part = replace(
        problem, batch=len(range(problem.batch)[maps[0]]), heads=len(range(problem.heads)[maps[1]])
    )
    small = Inputs(given.q[maps], given.k[maps], given.v[maps], given.position, grad_out[maps])
    exact = _results(small, part, chosen, torch.float64)
    bounds = _bounds(small, part, chosen, exact)
    return Truth(exact, bounds, grad_out, maps, chosen)


def examine(entry: Attention, problem: Problem, given: Inputs, known: Truth) -> Verdict:
    """Run an implementation and judge it: its output, and its gradients where it has a backward pass."""
    learns = entry.unsupported(problem, given.q.device.type, "forward_backward") is None
    return judge(run(entry.attend, problem, given, known.grad_out if learns else None), problem, given, known)


def judge(results: dict[str, Tensor], problem: Problem, given: Inputs, known: Truth) -> Verdict:
    """Compare what an implementation gave (`run`) with the oracle."""
    out = results["out"]
    _must_have_form(out, given.q, problem)
    judged = results | {"out": _only(out, known.maps, known.chosen, problem)}
    errors = {
        name: relative_error(x, _placed(known.exact[name], x, known.maps)) for name, x in judged.items()
    }
    if not out.isfinite().all():  # also where the oracle was not asked
        errors["out"] = float("nan")
    return Verdict(errors, known.bounds)


def run(attend: Attend, problem: Problem, given: Inputs, grad_out: Tensor | None) -> dict[str, Tensor]:
    """What an implementation gives: the output, and with a gradient of it the gradients `dq`, `dk`, …"""
    if grad_out is None:
        with torch.no_grad():
            return {"out": attend(given.q, given.k, given.v, given.position, problem)}
    leaves = {name: x.detach().requires_grad_() for name, x in given.tensors.items()}
    q, k, v, *tables = leaves.values()
    out = attend(q, k, v, (tables[0], tables[1]) if tables else None, problem)
    gradients = torch.autograd.grad(out, list(leaves.values()), grad_out, materialize_grads=True)
    return {"out": out.detach()} | {f"d{name}": x for name, x in zip(leaves, gradients, strict=True)}


def changed(given: Inputs, before: Inputs) -> list[str]:
    """Names of inputs that are not, bit by bit, what they were."""
    pairs = [(name, x, before.tensors[name]) for name, x in given.tensors.items()]
    pairs.append(("the gradient of the output", given.grad_out, before.grad_out))
    return [name for name, x, known in pairs if not torch.equal(x, known)]


def largest(errors: Iterable[float]) -> float:
    """Of some errors; nan if any is."""
    return max(errors, key=lambda error: (isnan(error), error))


def relative_error(actual: Tensor, exact: Tensor) -> float:
    """Frobenius norm of the difference over that of the exact; where that is zero, its root mean square."""
    norm = float(exact.norm()) or max(1, exact.numel()) ** 0.5
    return float((actual.double() - exact).norm()) / norm


def _what(problem: Problem, seed: int) -> tuple[tuple[slice, slice], list[Block]]:
    everything = oracle.blocks(problem)
    if problem.slots() <= WHOLE:
        return (slice(None), slice(None)), everything
    chance = random.Random(seed)
    batch, head = chance.randrange(problem.batch), chance.randrange(problem.heads)
    corners = {everything[0], everything[-1]}
    chosen = corners | set(chance.sample(everything, min(SAMPLED, len(everything))))
    return (slice(batch, batch + 1), slice(head, head + 1)), sorted(chosen)


def _results(given: Inputs, problem: Problem, chosen: list[Block], dtype: torch.dtype) -> dict[str, Tensor]:
    def on_blocks(*args: object) -> Tensor:
        return oracle.attend(*args, chosen=chosen, dtype=dtype)  # type: ignore[arg-type]

    return run(on_blocks, problem, given, given.grad_out.to(dtype))


def _bounds(
    given: Inputs, problem: Problem, chosen: list[Block], exact: dict[str, Tensor]
) -> dict[str, float]:
    """A few times the error of the dense formula in the dtype; of float64 the oracle can not tell its own.

    Where that formula happens to have no error (one slot: what it subtracts is the same number), an
    epsilon stands for it: another order of summing is as right.
    """
    dtype = given.q.dtype
    if dtype == torch.float64:
        return dict.fromkeys(exact, FLOAT64)
    rounded = _results(given, problem, chosen, dtype)
    epsilon = torch.finfo(dtype).eps
    return {name: SLACK * (relative_error(rounded[name], exact[name]) or epsilon) + epsilon for name in exact}


def _only(x: Tensor, maps: tuple[slice, slice], chosen: list[Block], problem: Problem) -> Tensor:
    """b h y x d, zero but in the chosen blocks of the maps."""
    kept = torch.zeros_like(x)
    for row, column in chosen:
        y, x_ = (slice(at * problem.side, (at + 1) * problem.side) for at in (row, column))
        kept[(*maps, y, x_)] = x[(*maps, y, x_)]
    return kept


def _placed(exact: Tensor, like: Tensor, maps: tuple[slice, slice]) -> Tensor:
    """What the oracle says of some maps among all of them: nothing may reach the others."""
    if exact.shape == like.shape:
        return exact
    placed = torch.zeros_like(like, dtype=torch.float64)
    placed[maps] = exact
    return placed


def _must_have_form(out: Tensor, q: Tensor, problem: Problem) -> None:
    if tuple(out.shape) != problem.out_shape or out.dtype != q.dtype:
        expected = f"{q.dtype} {problem.out_shape}"
        raise TypeError(f"the output is {out.dtype} {tuple(out.shape)}, not {expected}")
