"""Which devices this machine has, and whether they still answer."""

import torch

from halobench.errors import UsageError


def answers(device: str) -> bool:
    """False after an error of CUDA that stays with the process: an illegal access, an assertion."""
    if device != "cuda":
        return True
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return False
    return True


def devices() -> tuple[str, ...]:
    """What this machine has, the fastest first."""
    return ("cuda", "cpu") if torch.cuda.is_available() else ("cpu",)


def usable(device: str) -> str:
    """The device; UsageError where this machine has none."""
    if device not in devices():
        raise UsageError(f"device: this machine has no {device}; there is: {', '.join(devices())}")
    return device
