"""The CPU, on which a call has finished when it returns."""

from functools import partial
from time import perf_counter

import torch
from torch.autograd.profiler import profile

from halobench.device import usage
from halobench.device.clock import Call, Clock, Clocks, WallClock, elapsed
from halobench.device.memory import Memory
from halobench.device.usage import Usage

SIDE = 384  # of the matrices whose product gives the rate
PRODUCTS = 8


class Cpu:
    """The CPU as this process uses it."""

    def now(self) -> float:
        return perf_counter()

    def clocks(self) -> Clocks:
        return WallClock(), None

    def timed(self, call: Call) -> float:
        return elapsed(call)

    def warm_up(self, call: Call) -> None:
        """Do nothing: the check has computed just before."""

    def memory(self, call: Call) -> Memory:
        """Exact: every allocation and release of torch's allocator, as the profiler saw them."""
        with profile(use_kineto=False, profile_memory=True) as profiled:  # Kineto takes 2 s to start
            call()
        live = peak = 0
        for event in profiled.kineto_results.events():
            if event.name() == "[memory]":
                live += event.nbytes()
                peak = max(peak, live)
        return Memory(peak)

    def state(self) -> str:
        return ""

    def matrix_rate(self, dtype: str) -> float:
        return matrix_rate(WallClock(), dtype, "cpu", SIDE)

    def usage(self) -> Usage:
        return usage.own()

    def others(self) -> Usage:
        return usage.others()


def matrix_rate(clock: Clock, dtype: str, device: str, side: int) -> float:
    """Return the rate of the fastest of a few products of square matrices, in FLOP a second."""
    times: list[float] = []
    for kind in dict.fromkeys((dtype, "float32")):
        a, b = (torch.ones(side, side, dtype=getattr(torch, kind), device=device) for _ in range(2))
        product = partial(torch.mm, a, b)
        product()
        times += [sample.device_s for sample in clock.series(product, PRODUCTS)]
    return 2 * side**3 / min(times)
