"""Is an implementation right? Judged against the oracle, output and every gradient, before it is timed.

An error is judged against the size of the terms that the result is the sum of (`oracle.sizes`), the worst
block of a map by itself: where terms cancel, or the truth is zero, rounding is as large as anywhere else.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import isnan

import torch
import torch.nn.functional as F
from torch import Tensor

from halobench.attention import diagnosis, oracle
from halobench.attention.implementation import Attend, Implementation
from halobench.attention.oracle import Block, Inputs
from halobench.attention.problem import Problem

SLACK = 3  # how many times the error of the dense formula in the same dtype is still right
LEAST = 4  # epsilons that are right even if that formula has no error, by luck or since it has one term
FLOAT64 = 256  # epsilons that are right in float64, in which the oracle cannot tell its own error
WHOLE = 2**24  # up to as many query-slot pairs, every block of every map is checked
SAMPLED = 4  # random blocks of a random map that are checked beyond


@dataclass(frozen=True)
class Truth:
    """What the oracle says of a problem: on all of it, or on chosen blocks of one map."""

    exact: dict[str, Tensor]  # `out` and `d` + name of every input, float64
    sizes: dict[str, Tensor]  # of the terms of each: `oracle.sizes`
    bounds: dict[str, float]  # largest error that is still right
    grad_out: Tensor  # zero outside what is checked
    maps: tuple[slice, slice]  # of batch and head
    chosen: list[Block]

    @property
    def whole(self) -> bool:
        """Whether every block of every map is judged."""
        return self.maps == (slice(None), slice(None))


@dataclass(frozen=True)
class Verdict:
    """Errors of the output and of each gradient over the size of their terms, and what is allowed."""

    errors: dict[str, float]
    bounds: dict[str, float]
    fault: str = ""  # what is wrong before any number is
    where: str = ""  # the worst one is off most
    like: str = ""  # what the output is instead

    @property
    def right(self) -> bool:
        within = (error <= self.bounds[name] for name, error in self.errors.items())  # False for nan
        return not self.fault and all(within)

    @property
    def error(self) -> float:
        """The largest; nan where there is none."""
        return largest(self.errors.values()) if self.errors else float("nan")

    def __str__(self) -> str:
        """The worst one, as a reason: how far it is off, and what is allowed."""
        if self.fault:
            return self.fault
        worst = self.worst
        off = f"{worst} is off by {self.errors[worst]:.2e}, allowed {self.bounds[worst]:.2e}"
        return ", ".join([off, *filter(None, [self.where, self.like and f"as with {self.like}"])])

    @property
    def worst(self) -> str:
        """The name of the result that is off most, of those that are wrong if any is."""
        wrong = [name for name, error in self.errors.items() if not error <= self.bounds[name]]
        shares = {name: self.errors[name] / self.bounds[name] for name in wrong or self.errors}
        return max(shares, key=lambda name: (isnan(shares[name]), shares[name]))


def truth(problem: Problem, given: Inputs, seed: int = 0, bounds: Mapping[str, float] | None = None) -> Truth:
    """Ask the oracle; where the problem is large, about random blocks and their windows only.

    A block depends on nothing but its window, so that the output's gradient is set to zero elsewhere. Bounds
    that are known for other inputs of the problem need not be computed again.
    """
    maps, chosen = _what(problem, seed)
    grad_out = only(given.grad_out, maps, chosen, problem)
    part = _part(problem, maps)
    small = _cut(replace(given, grad_out=grad_out), maps)
    exact = _results(small, part, chosen, torch.float64)
    sizes = oracle.sizes(small, exact["out"], part, chosen)
    known = dict(bounds) if bounds is not None else _bounds(small, part, chosen, exact, sizes)
    return Truth(exact, sizes, known, grad_out, maps, chosen)


def examine(entry: Implementation, problem: Problem, given: Inputs, known: Truth) -> Verdict:
    """Run an implementation and judge it: its output, and its gradients where it has a backward pass.

    Inputs that it changes are put back, also where it raises.
    """
    learns = entry.unsupported(problem, given.q.device.type, "forward_backward") is None
    before = given.clone()
    try:
        results = run(entry.attend, problem, given, known.grad_out if learns else None)
    finally:
        if names := changed(given, before):
            given.write(before)
    verdict = judge(results, problem, given, known)
    return replace(verdict, fault=f"it changes its inputs: {', '.join(names)}") if names else verdict


def judge(results: dict[str, Tensor], problem: Problem, given: Inputs, known: Truth) -> Verdict:
    """Compare what an implementation gave (`run`) with the oracle."""
    out = results["out"]
    if fault := _form(out, given.q, problem):
        return Verdict({}, known.bounds, fault)
    judged = results | {"out": only(out, known.maps, known.chosen, problem)}
    errors = {name: _error(name, x, *_placed(known, name, x), problem) for name, x in judged.items()}
    if not out.isfinite().all():  # also where the oracle was not asked
        errors["out"] = float("nan")
    verdict = Verdict(errors, known.bounds)
    return verdict if verdict.right else _explained(verdict, judged, problem, given, known)


def _explained(
    verdict: Verdict, results: dict[str, Tensor], problem: Problem, given: Inputs, known: Truth
) -> Verdict:
    """Add where a wrong result is off, and what it is instead."""
    worst = verdict.worst
    place = diagnosis.where(worst, results[worst], _placed(known, worst, results[worst])[0], problem)
    if verdict.errors["out"] <= known.bounds["out"]:
        return replace(verdict, where=place)
    maps = known.maps
    like = diagnosis.likeness(results["out"][maps], _cut(given, maps), _part(problem, maps), known.chosen)
    return replace(verdict, where=place, like=like)


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
    """Return the largest error; nan if any is."""
    return max(errors, key=lambda error: (isnan(error), error))


def relative_error(actual: Tensor, exact: Tensor) -> float:
    """Frobenius norm of the difference over that of the exact; where that is zero, its root mean square."""
    norm = float(exact.norm()) or max(1, exact.numel()) ** 0.5
    return float((actual.double() - exact).norm()) / norm


def _error(name: str, actual: Tensor, exact: Tensor, size: Tensor, problem: Problem) -> float:
    """Norm of the difference over that of the size of the terms: of a map in its worst block.

    What is below the smallest normal number of the dtype is no error.
    """
    if not exact.numel():
        return 0.0
    size = size.maximum(exact.abs()).clamp(min=torch.finfo(actual.dtype).tiny)
    unit = size.amax()  # or squares of small numbers would be zero
    side = {"out": problem.side, "dq": problem.side, "dk": problem.block, "dv": problem.block}.get(name)
    off, terms = (_squares(x / unit, side) for x in (actual.double() - exact, size))
    return float((off / terms).max().sqrt())


def _squares(x: Tensor, side: int | None) -> Tensor:
    """The sum of squares of each block of each map b h y x d; or of all, where there are no blocks."""
    if side is None:
        return x.square().sum()
    squares: Tensor = x.square().sum(-1)
    height, width = squares.shape[2:]
    squares = F.pad(squares, (0, -width % side, 0, -height % side))
    blocks: Tensor = squares.unflatten(3, (-1, side)).unflatten(2, (-1, side))
    return blocks.sum((3, 5))


def _part(problem: Problem, maps: tuple[slice, slice]) -> Problem:
    """The same problem of these maps only."""
    batch, heads = len(range(problem.batch)[maps[0]]), len(range(problem.heads)[maps[1]])
    return replace(problem, batch=batch, heads=heads)


def _cut(given: Inputs, maps: tuple[slice, slice]) -> Inputs:
    """The inputs of these maps only."""
    return Inputs(given.q[maps], given.k[maps], given.v[maps], given.position, given.grad_out[maps])


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
    given: Inputs,
    problem: Problem,
    chosen: list[Block],
    exact: dict[str, Tensor],
    sizes: dict[str, Tensor],
) -> dict[str, float]:
    """A few times the error of the dense formula in the dtype, and a few epsilons."""
    epsilon = torch.finfo(given.q.dtype).eps
    if given.q.dtype == torch.float64:
        return dict.fromkeys(exact, FLOAT64 * epsilon)
    rounded = _results(given, problem, chosen, given.q.dtype)
    errors = {name: _error(name, x, exact[name], sizes[name], problem) for name, x in rounded.items()}
    return {name: SLACK * error + LEAST * epsilon for name, error in errors.items()}


def only(x: Tensor, maps: tuple[slice, slice], chosen: list[Block], problem: Problem) -> Tensor:
    """b h y x d, zero but in the chosen blocks of the maps."""
    kept = torch.zeros_like(x)
    for row, column in chosen:
        y, x_ = (slice(at * problem.side, (at + 1) * problem.side) for at in (row, column))
        kept[(*maps, y, x_)] = x[(*maps, y, x_)]
    return kept


def _placed(known: Truth, name: str, like: Tensor) -> tuple[Tensor, Tensor]:
    """The truth and its size for some maps, among all of them: nothing may reach the others."""
    exact, size = known.exact[name], known.sizes[name]
    if exact.shape == like.shape:
        return exact, size
    placed = torch.zeros(2, *like.shape, dtype=torch.float64, device=like.device)
    placed[0][known.maps], placed[1][known.maps] = exact, size
    return placed[0], placed[1]


def _form(out: Tensor, q: Tensor, problem: Problem) -> str:
    """Why an output cannot be compared, or nothing."""
    if type(out) is not Tensor:
        return f"the output is a {type(out).__name__}, not a plain torch.Tensor"
    if tuple(out.shape) != problem.out_shape or out.dtype != q.dtype:
        expected = f"{q.dtype} {problem.out_shape}"
        return f"the output is {out.dtype} {tuple(out.shape)}, not {expected}"
    return ""
