"""What the wait policy of OpenMP's threads costs, and which implementation is fastest under each: in rounds.

    python tests/bench/wait_policy.py --rounds 20
    python tests/bench/wait_policy.py --rounds 20 --busy

A process for each policy and implementation, all alive at once; in each round every one of them, in random
order, takes a slice of calls while the others are stopped, since idle threads of `active` spin for ever.
`--busy` keeps one more process computing beside them.
"""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
from statistics import median, stdev
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from halobench import units
from halobench.stats.interval import summary

POLICIES = {  # what the environment says
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "active": {"OMP_WAIT_POLICY": "active"},
    "unset": {},
    **{f"spin {count}": {"GOMP_SPINCOUNT": f"{count}"} for count in (1000, 10_000, 100_000)},
}
SLICE_S = 0.05
WORKER = """
import sys, time, torch
from halobench.attention import Problem, check, oracle
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.device import allocator

allocator.enter("steady")
name, side, backward = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "forward_backward"
problem = Problem(height=side, width=side, block=8, halo=3, batch=2, heads=2, position="sum")
given = oracle.inputs(problem)
attend, grad_out = IMPLEMENTATIONS[name].attend, given.grad_out if backward else None
for line in sys.stdin:
    end, times = time.perf_counter() + float(line), []
    check.run(attend, problem, given, grad_out)
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        check.run(attend, problem, given, grad_out)
        times.append(time.perf_counter() - start)
    print(sorted(times)[len(times) // 2], flush=True)
"""


class Worker:
    """A process that takes a slice of calls when it is told to."""

    def __init__(self, policy: str, *arguments: str) -> None:
        known = {name: value for name, value in os.environ.items() if "OMP_" not in name}
        environment = known | POLICIES[policy]
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, *arguments], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def slice(self) -> float:
        """The median of a slice's calls, in seconds; stopped before and after."""
        self._process.send_signal(signal.SIGCONT)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{SLICE_S}\n")
        self._process.stdin.flush()
        seconds = float(self._process.stdout.readline())
        self._process.send_signal(signal.SIGSTOP)
        return seconds

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def spin() -> None:
    while True:
        pass


def main(
    rounds: Annotated[int, typer.Option(help="Each in random order.")] = 20,
    implementation: Annotated[
        str, typer.Option(help="Comma list.")
    ] = "haloed_chunked,haloed_blocked,sdpa_blocked",
    resolution: Annotated[str, typer.Option(help="Comma list of sides of the map.")] = "16,32,64",
    direction: Annotated[str, typer.Option(help="Comma list.")] = "forward,forward_backward",
    busy: Annotated[bool, typer.Option("--busy", help="Beside a process that computes.")] = False,
) -> None:
    """Print medians, their scatter between rounds, and ratios over `unset` with intervals."""
    other = multiprocessing.Process(target=spin, daemon=True)
    if busy:
        other.start()
    for side in resolution.split(","):
        for way in direction.split(","):
            names = [(policy, name) for policy in POLICIES for name in implementation.split(",")]
            workers = {key: Worker(key[0], key[1], side, way) for key in names}
            _show(_rounds(workers, rounds), f"{side}x{side}, {way}, {'busy' if busy else 'idle'}")
            for worker in workers.values():
                worker.end()


def _rounds(workers: dict[tuple[str, str], Worker], rounds: int) -> dict[tuple[str, str], list[float]]:
    chance, seconds = random.Random(0), {key: [] for key in workers}
    for worker in workers.values():
        worker.slice()
    for _ in range(rounds):
        for key in chance.sample(list(workers), len(workers)):
            seconds[key].append(workers[key].slice())
    return seconds


def _show(seconds: dict[tuple[str, str], list[float]], title: str) -> None:
    table = Table("implementation", "policy", "median", "scatter", "over unset", "95 % interval", title=title)
    for (policy, name), own in seconds.items():
        ratios = summary([a / b for a, b in zip(own, seconds["unset", name], strict=True)])
        shown = units.ratio(ratios.median), f"{units.ratio(ratios.low)} to {units.ratio(ratios.high)}"
        table.add_row(
            name, policy, units.seconds(median(own)), units.percent(stdev(own) / median(own)), *shown
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    typer.run(main)
