"""What a device can do at most, measured: bandwidths, matrix rates, exponentials, the cost of a launch.

Each function measures a group and returns name -> (value, unit), in base units; `small` is for trying it
out. Nothing here says what is possible in theory.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from statistics import median

import torch

from halobench.device.clock import Call, Clock, QueueClock, WallClock
from halobench.device.cuda import CudaQueue

Ceilings = dict[str, tuple[float, str]]

SAMPLES = 20
LAUNCHES = 1000  # in a row, and in a graph
THIN = (64, 196, 16)  # queries, slots and channels of b8 h3: what attention multiplies, a block at a time
PRECISION = {"float32": "highest", "tf32": "high"}  # of products of float32
MATRIX = {"float32": 4096, "tf32": 8192, "float16": 8192, "bfloat16": 8192, "float64": 4096}  # a side


def bandwidth(device: str, small: bool = False) -> Ceilings:
    """Measure the memory bandwidth, bytes read and written, on far more bytes than any cache holds."""
    elements = 2**16 if small else 2**29
    x, y, z = (torch.rand(elements, device=device) for _ in range(3))
    calls: dict[str, tuple[Call, int]] = {
        "copy": (lambda: y.copy_(x), 2),
        "read": (x.sum, 1),
        "triad": (lambda: torch.add(x, y, alpha=3.0, out=z), 3),
    }
    return {
        f"bandwidth {name}": (times * x.nbytes / seconds(call, device), "B/s")
        for name, (call, times) in calls.items()
    }


def cache(device: str, small: bool = False) -> Ceilings:
    """Bytes a second read from the L2 cache: a third of it, again and again. On a CPU, of whatever cache."""
    if device != "cuda":
        x = torch.rand(2**16)
        return {"bandwidth cache": (x.nbytes / seconds(x.sum, device), "B/s")}
    from halobench.device import ceiling_kernels as kernels  # noqa: PLC0415  it needs Triton

    x = torch.rand(torch.cuda.get_device_properties(device).L2_cache_size // 3 // 4, device=device)
    repeats = 2 if small else 200
    read = kernels.reads(x, repeats)
    return {"bandwidth L2": (read / seconds(partial(kernels.reads, x, repeats), device), "B/s")}


def matrix(device: str, small: bool = False) -> Ceilings:
    """Products of large square matrices, and of many thin ones as attention has them."""
    found: Ceilings = {}
    for name, side in MATRIX.items():
        with _precision(name):
            found[f"matrix square {name}"] = _product(name, device, (1, *3 * (64 if small else side,)))
            found[f"matrix thin {name}"] = _product(name, device, (16 if small else 2**14, *THIN))
    return found


def exponentials(device: str, small: bool = False) -> Ceilings:
    """Powers of two a second, in registers; on a CPU those of a tensor that a cache holds."""
    if device != "cuda":
        x = torch.rand(2**12)
        return {"exponentials": (x.numel() / seconds(x.exp2, device), "1/s")}
    from halobench.device import ceiling_kernels as kernels  # noqa: PLC0415  it needs Triton

    repeats = 2 if small else 2000
    count = kernels.exponentials(repeats)
    return {"exponentials": (count / seconds(partial(kernels.exponentials, repeats), device), "1/s")}


def launch(device: str, small: bool = False) -> Ceilings:
    """Measure one operation on one number: launched by torch, and on a GPU within a graph."""
    count = 10 if small else LAUNCHES
    x = torch.zeros(1, device=device)

    def many() -> None:
        for _ in range(count):
            x.add_(1.0)

    host_s = median(sample.host_s for sample in _clock(device).series(many, SAMPLES))
    found = {"launch": (host_s / count, "s")}
    if device == "cuda":
        found["launch in a graph"] = (seconds(_graph(many).replay, device) / count, "s")
    return found


def timer(device: str, small: bool = False) -> Ceilings:
    """The least time between two events with nothing between, and the least step of the times they tell."""
    if device != "cuda":
        return {}
    times = sorted({_between(cycles) for cycles in range(0, 10 if small else 4000, 10)})
    steps = [after - before for before, after in pairwise(times)]
    return {"timer least": (times[0], "s"), "timer step": (min(steps, default=times[0]), "s")}


GROUPS: dict[str, Callable[[str, bool], Ceilings]] = {
    "bandwidth": bandwidth, "cache": cache, "matrix": matrix, "exponentials": exponentials, "launch": launch,
    "timer": timer,
}  # fmt: skip


def seconds(call: Call, device: str) -> float:
    """The median of calls back to back, after one that warms up."""
    call()
    return median(sample.device_s for sample in _clock(device).series(call, SAMPLES))


def _clock(device: str) -> Clock:
    return QueueClock(CudaQueue(), cold=False) if device == "cuda" else WallClock()


def _product(name: str, device: str, sizes: tuple[int, int, int, int]) -> tuple[float, str]:
    """FLOP a second of `batch` products of (rows x inner) and (inner x columns)."""
    batch, rows, columns, inner = sizes
    dtype = getattr(torch, name, torch.float32)
    a = torch.randn(batch, rows, inner, dtype=dtype, device=device)
    b = torch.randn(batch, columns, inner, dtype=dtype, device=device).mT
    return 2 * batch * rows * columns * inner / seconds(lambda: a @ b, device), "FLOP/s"


@contextmanager
def _precision(name: str) -> Iterator[None]:
    """Products of float32 with or without TF32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(PRECISION.get(name, before))
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _graph(call: Call) -> torch.cuda.CUDAGraph:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph


def _between(cycles: int) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    if cycles:
        torch.cuda._sleep(cycles)
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) / 1e3
