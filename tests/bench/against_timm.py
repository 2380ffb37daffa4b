"""timm's own HaloAttn beside each of ours on given queries, keys and values: ratios of interleaved rounds.

    python tests/bench/against_timm.py --rounds 20

timm's projections are replaced by modules that hand out the maps, laid out as its convolutions leave
them (NCHW); ours get the layout they are called with by default. Border zero, position sum.
"""

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from timm.layers.halo_attn import HaloAttn
from torch import Tensor, nn

from halobench import attention, check, oracle, plugins, text
from halobench.attention import ATTENTIONS
from halobench.oracle import Inputs
from halobench.problem import Problem
from halobench.stats import summary

PROBLEM = Problem(
    batch=4, heads=8, height=64, width=64, dim_qk=16, dim_v=16, block=8, halo=3, position="sum", border="zero"
)


class Given(nn.Module):
    """A projection that was done before."""

    def __init__(self, result: Tensor) -> None:
        super().__init__()
        self.result = result

    def forward(self, x: Tensor) -> Tensor:
        return self.result


def timm_results(problem: Problem, given: Inputs) -> Callable[[bool], dict[str, Tensor]]:
    """A call of timm's layer, with or without the backward pass; results as `check.run` has them."""
    layer = HaloAttn(
        problem.heads * problem.dim_v, num_heads=problem.heads, dim_head=problem.dim_qk,
        block_size=problem.block, halo_size=problem.halo,
    )  # fmt: skip
    q, kv, grad = (
        _map(x).requires_grad_() for x in (given.q, torch.cat([given.k, given.v], -1), given.grad_out)
    )
    layer.q, layer.kv = Given(q), Given(kv)
    tables = layer.pos_embed.height_rel, layer.pos_embed.width_rel
    with torch.no_grad():
        for table, values in zip(tables, given.position or (), strict=True):
            table.copy_(values)
    x = torch.empty(problem.batch, problem.heads * problem.dim_v, problem.height, problem.width)

    def call(backward: bool) -> dict[str, Tensor]:
        with torch.set_grad_enabled(backward):
            out = layer(x)
        if not backward:
            return {"out": _heads(out, problem)}
        dq, dkv, *dtables = torch.autograd.grad(out, [q, kv, *tables], grad)
        dk, dv = _heads(dkv, problem).split([problem.dim_qk, problem.dim_v], dim=-1)
        results = {"out": _heads(out.detach(), problem), "dq": _heads(dq, problem), "dk": dk, "dv": dv}
        return results | dict(zip(("drel_height", "drel_width"), dtables, strict=True))

    return call


def _map(x: Tensor) -> Tensor:
    """b h y x d -> batch channels height width"""
    return x.permute(0, 1, 4, 2, 3).flatten(1, 2).contiguous()


def _heads(x: Tensor, problem: Problem) -> Tensor:
    """batch channels height width -> b h y x d"""
    split: Tensor = x.unflatten(1, (problem.heads, -1))
    return split.permute(0, 1, 3, 4, 2)


def main(
    rounds: Annotated[int, typer.Option(help="Interleaved rounds, each in random order.")] = 20,
    implementation: Annotated[str, typer.Option(help="Comma list; default: all.")] = "",
) -> None:
    """Check all of them, then print medians and ratios of timm to ours, forward and forward + backward."""
    plugins.load_all(attention.GROUP)
    names = implementation.split(",") if implementation else list(ATTENTIONS)
    given = oracle.inputs(PROBLEM)
    known = check.truth(PROBLEM, given)
    timm = timm_results(PROBLEM, given)
    for backward in (False, True):
        calls: dict[str, Callable[[], object]] = {"timm HaloAttn": partial(timm, backward)}
        for name in names:
            grad_out = given.grad_out if backward else None
            calls[name] = partial(check.run, ATTENTIONS[name].attend, PROBLEM, given, grad_out)
        if not backward:
            _must_be_right(calls, given, known)
        _show(_measured(calls, rounds), "forward + backward" if backward else "forward")


def _must_be_right(calls: dict[str, Callable[[], object]], given: Inputs, known: check.Truth) -> None:
    for name, call in calls.items():
        verdict = check.judge(call(), PROBLEM, given, known)  # type: ignore[arg-type]
        if not verdict.right:
            raise SystemExit(f"{name}: {verdict}")


def _measured(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds by name, a round beside a round."""
    chance, seconds = random.Random(0), {name: [] for name in calls}
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
        shown = text.ratio(ratios.median), f"{text.ratio(ratios.low)} to {text.ratio(ratios.high)}"
        table.add_row(name, text.seconds(summary(own).median), *shown)
    Console(width=100).print(table)


if __name__ == "__main__":
    typer.run(main)
