"""Host time of a call of `triton_fused`, in microseconds and over that of `F.scaled_dot_product_attention`.

    python tests/bench/host_time.py

On a CUDA device calls are queued, and waited for outside the time. Elsewhere nothing is launched: a launch by
Triton's own way takes a few microseconds more. Rounds in turn; the fastest of each, and the median ratio.
"""

import os

import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from statistics import median
from typing import Any

import torch.nn.functional as F
from rich.console import Console
from rich.table import Table

from halobench.attention import halo_attention, oracle
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.attention.problem_sets import STANDARD

ROUNDS, CALLS = 15, 200


class Nothing:
    """In place of a compiled kernel."""

    def __getitem__(self, grid: object) -> Callable[..., None]:
        return lambda *args: None


def without_launches() -> None:
    launch = import_module("halobench_kernels._triton_launch").Launch
    made = launch.__init__

    def init(self: Any, *args: Any) -> None:
        made(self, *args)
        self._compiled = Nothing()

    launch.__init__ = init


def calls(device: str) -> dict[str, Callable[[], object]]:
    problem = replace(STANDARD["32x32 n8 d16 b8h3"], batch=1, height=8, width=8, dtype="float16")
    given = oracle.inputs(problem, "channels_last", device)
    ours, leaves = (
        IMPLEMENTATIONS["triton_fused"].attend,
        [x.detach().requires_grad_() for x in given.tensors.values()],
    )
    q, k, v, *tables = leaves
    dense = [x.flatten(2, 3).detach().requires_grad_() for x in (q, k, v)]

    def both(out: torch.Tensor, inputs: list[torch.Tensor]) -> object:
        return torch.autograd.grad(out, inputs, torch.ones_like(out))

    def public() -> torch.Tensor:
        return halo_attention(
            q, k, v, problem.block, problem.halo, position=(tables[0], tables[1]), border="zero",
            implementation="triton_fused",
        )  # fmt: skip

    return {
        "scaled_dot_product_attention": lambda: F.scaled_dot_product_attention(*dense),
        "scaled_dot_product_attention, forward and backward": lambda: both(
            F.scaled_dot_product_attention(*dense), dense
        ),
        "triton_fused": lambda: ours(q, k, v, tuple(tables), problem),
        "halo_attention": public,
        "triton_fused, forward and backward": lambda: both(ours(q, k, v, tuple(tables), problem), leaves),
    }


def host_us(call: Callable[[], object], device: str) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    taken = time.perf_counter() - start
    if device == "cuda":
        torch.cuda.synchronize()
    return taken / CALLS * 1e6


def main() -> None:
    torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        without_launches()
    every = calls(device)
    for call in every.values():
        call()
    rounds = [{name: host_us(call, device) for name, call in every.items()} for _ in range(ROUNDS)]
    table = Table(title=f"host time of a call, {device}", title_justify="left")
    for name in ("call", "us", "of scaled_dot_product_attention"):
        table.add_column(name, justify="left" if name == "call" else "right")
    for name in every:
        first = "scaled_dot_product_attention" + ", forward and backward" * name.endswith("backward")
        ratio = median(each[name] / each[first] for each in rounds)
        table.add_row(name, f"{min(each[name] for each in rounds):.1f}", f"{ratio:.2f}x")
    Console().print(table)


if __name__ == "__main__":
    main()
