"""Can a measurement be true? What no machine does shows a fault of the code, of the clock, or a cheat."""

from collections.abc import Sequence

from torch import Tensor

from halobench import units
from halobench.results.record import Work

MARGIN = 3.0  # convolutions may take 2.25 times fewer products than are counted (Winograd), and rates vary


def doubt(times: Sequence[float], peak_bytes: int, result_bytes: int, work: Work, rate: float) -> str:
    """Why a call cannot have taken these seconds and bytes, or nothing.

    `rate` is that of products of matrices on the device, in FLOP a second.
    """
    least = min(times)
    if least <= 0:
        return f"a call took {least:.3g} s"
    if peak_bytes < result_bytes:
        return (
            f"a call held {units.bytes_(peak_bytes)} of torch's memory at most, "
            f"and its results are {units.bytes_(result_bytes)}"
        )
    if (work.flop or 0) / least > MARGIN * rate:
        done, most = (f"{units.flop(each)}/s" for each in ((work.flop or 0) / least, rate))
        return f"a call did {done}, and products of matrices reach {most} here"
    return ""


def nbytes(result: object) -> int:
    """Count the bytes of tensors, alone or by name, each piece of memory once."""
    tensors = result.values() if isinstance(result, dict) else [result]
    held: dict[int, int] = {}
    for x in tensors:
        if isinstance(x, Tensor):
            storage = x.untyped_storage()
            own = min(storage.nbytes(), x.nbytes)
            held[storage.data_ptr()] = max(own, held.get(storage.data_ptr(), 0))
    return sum(held.values())
