"""What measuring asks of a device, and which devices this machine has."""

from typing import Protocol

import torch

from halobench.device.clock import Call, Clocks
from halobench.device.cpu import Cpu
from halobench.device.cuda import Cuda
from halobench.device.memory import Memory
from halobench.device.usage import Usage
from halobench.errors import UsageError


class Device(Protocol):
    """A device as the process of a case uses it: time, memory, state, and what else was used."""

    def now(self) -> float:
        """Return the host's time in seconds, from any origin."""

    def clocks(self) -> Clocks:
        """Return a clock for cold samples, and one for samples back to back where the two differ."""

    def timed(self, call: Call) -> float:
        """Return the seconds of one call until all it started has finished."""

    def warm_up(self, call: Call) -> None:
        """Let a device that was idle raise its clock rate, with a call that has run before."""

    def memory(self, call: Call) -> Memory:
        """Return the peak memory of one call: its output counts, its inputs do not."""

    def state(self) -> str:
        """Return clock rate, power, temperature and throttling as text; empty where nothing tells."""

    def matrix_rate(self, dtype: str) -> float:
        """Return the rate of products of large matrices in FLOP a second, of the dtype or of float32."""

    def usage(self) -> Usage:
        """Return what this process has used since it started."""

    def others(self) -> Usage:
        """Return the time, and the CPU time that was not this process's, both since some moment."""


def device(name: str) -> Device:
    """Return the device of this name, `cpu` or `cuda`."""
    return Cuda() if name == "cuda" else Cpu()


def answers(name: str) -> bool:
    """Return False after an error of CUDA that stays with the process: an illegal access, an assertion."""
    if name != "cuda":
        return True
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return False
    return True


def devices() -> tuple[str, ...]:
    """Return the names of what this machine has, the fastest first."""
    return ("cuda", "cpu") if torch.cuda.is_available() else ("cpu",)


def usable(name: str) -> str:
    """Return the name; UsageError where this machine has no such device."""
    if name not in devices():
        raise UsageError(f"device: this machine has no {name}; there is: {', '.join(devices())}")
    return name
