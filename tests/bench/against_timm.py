"""timm's own HaloAttn beside each of ours on given queries, keys and values: ratios of interleaved rounds.

    python tests/bench/against_timm.py --rounds 20

timm gets the maps as its convolutions leave them (NCHW), keys and values joined, made before and not timed:
`timm_halo`, among the others, is the same with our copies. Ours get the layout they are called with by
default. Border zero, position sum.
"""

import random
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Annotated

import torch
import typer
from halobench_kernels._adapters import as_map, heads_of
from rich.console import Console
from rich.table import Table
from torch import Tensor

from halobench import units
from halobench.attention import Problem, check, oracle
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.attention.oracle import Inputs
from halobench.stats.interval import summary

PROBLEM = Problem(
    batch=4, heads=8, height=64, width=64, dim_qk=16, dim_v=16, block=8, halo=3, position="sum", border="zero"
)
DIRECTIONS = {"forward": False, "forward_backward": True}  # whether there is a backward pass


def timm_results(problem: Problem, given: Inputs) -> Callable[[bool], dict[str, Tensor]]:
    """A call of timm's layer, with or without the backward pass; results as `check.run` has them."""
    plugin = import_module("halobench_kernels.timm_halo")
    adapted = IMPLEMENTATIONS["timm_halo"].adapt(given.q, given.k, given.v, given.position, problem)
    q, kv, *tables = leaves = [x.contiguous().detach().requires_grad_() for x in adapted]
    grad_out = as_map(given.grad_out).contiguous()

    def call(backward: bool) -> dict[str, Tensor]:
        with torch.set_grad_enabled(backward):
            out = plugin.attend_maps(q, kv, tables, problem)
        results = {"out": heads_of(out.detach(), problem)}
        if not backward:
            return results
        dq, dkv, *dtables = torch.autograd.grad(out, leaves, grad_out)
        dk, dv = heads_of(dkv, problem).split([problem.dim_qk, problem.dim_v], dim=-1)
        results |= {"dq": heads_of(dq, problem), "dk": dk, "dv": dv}
        return results | dict(zip(("drel_height", "drel_width"), dtables, strict=True))

    return call


def main(
    rounds: Annotated[int, typer.Option(help="Interleaved rounds, each in random order.")] = 20,
    implementation: Annotated[str, typer.Option(help="Comma list; default: all.")] = "",
    direction: Annotated[str, typer.Option(help="Comma list.")] = "forward,forward_backward",
) -> None:
    """Check those that can do it; medians, and ratios of timm to ours, forward and forward + backward."""
    names = implementation.split(",") if implementation else list(IMPLEMENTATIONS)
    given = oracle.inputs(PROBLEM)
    known = check.truth(PROBLEM, given)
    timm = timm_results(PROBLEM, given)
    for way in direction.split(","):
        grad_out = given.grad_out if DIRECTIONS[way] else None
        calls: dict[str, Callable[[], dict[str, Tensor]]] = {"timm HaloAttn": partial(timm, DIRECTIONS[way])}
        for name in names:
            if reason := IMPLEMENTATIONS[name].unsupported(PROBLEM, "cpu", way):
                print(f"left out: {name}, {way} ({reason})")
                continue
            calls[name] = partial(check.run, IMPLEMENTATIONS[name].attend, PROBLEM, given, grad_out)
        _must_be_right(calls, given, known)
        _show(_measured(calls, rounds), way)


def _must_be_right(
    calls: dict[str, Callable[[], dict[str, Tensor]]], given: Inputs, known: check.Truth
) -> None:
    """Their outputs: gradients are of all of the output here, where the oracle was asked for parts of it."""
    for name, call in calls.items():
        verdict = check.judge({"out": call()["out"]}, PROBLEM, given, known)
        if not verdict.right:
            raise SystemExit(f"{name}: {verdict}")


def _measured(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds by name, a round beside a round."""
    chance, seconds = random.Random(0), {name: [] for name in calls}
    for call in calls.values():  # the first time is another
        call()
    for _ in range(rounds):
        for name in chance.sample(list(calls), len(calls)):
            start = time.perf_counter()
            calls[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def _show(seconds: dict[str, list[float]], direction: str) -> None:
    baseline = next(iter(seconds.values()))
    table = Table(
        "implementation",
        "median",
        "timm over it",
        "95 % interval",
        title=f"{direction}, {len(baseline)} rounds",
    )
    for name, own in seconds.items():
        ratios = summary([theirs / ours for theirs, ours in zip(baseline, own, strict=True)])
        shown = units.ratio(ratios.median), f"{units.ratio(ratios.low)} to {units.ratio(ratios.high)}"
        table.add_row(name, units.seconds(summary(own).median), *shown)
    Console(width=100).print(table)


if __name__ == "__main__":
    typer.run(main)
