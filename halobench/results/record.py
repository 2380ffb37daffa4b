"""What one measurement left behind, as it is stored.

Schema history: 1, the first; 2, `samples_adapt`, and `mode` of a model case; 3, `tune_s` and `config`;
4, `samples_warmup`, `usage`, and `allocator` of a case; 5, `traceback`; 6, `ended`.
"""

from dataclasses import dataclass, field
from typing import Literal

from halobench.case import Case
from halobench.device.usage import Usage

SCHEMA = 6
Status = Literal["ok", "wrong", "unsupported", "oom", "timeout", "crashed", "failed", "implausible", "pruned"]
SEVERITY = ("ok", "pruned", "unsupported", "implausible", "oom", "timeout", "failed", "crashed", "wrong")
BAD = ("wrong", "crashed", "failed")  # something is broken: `sweep` exits with 1


@dataclass(frozen=True)
class Work:
    """What a case asks for and what is really computed, counted: see `docs/method.md`."""

    flop: int | None = None
    flop_executed: int | None = None
    min_bytes: int | None = None
    params: int | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """One case as it was measured. Times are kept raw, in seconds, in order."""

    case: Case
    status: Status
    reason: str = ""
    traceback: str = ""  # of the exception behind `failed` or `oom`
    replicate: int = 0
    ended: str = ""  # when the measurement was over, UTC
    error: float | None = None  # largest relative error of output and gradients
    samples: tuple[float, ...] = ()  # on a GPU with a cold cache
    samples_hot: tuple[float, ...] = ()  # on a GPU back to back
    samples_host: tuple[float, ...] = ()  # until the call returned
    samples_adapt: tuple[float, ...] = ()  # of what a wrapper does to the inputs of others' code
    samples_warmup: tuple[float, ...] = ()  # before times were steady: in no figure
    compile_s: float | None = None  # the first call less a steady one and less `tune_s`
    tune_s: float | None = None  # of trials of configurations, before anything else was timed
    config: str = ""  # of kernels that can be built in several ways
    peak_bytes: int | None = None  # most live bytes of a call beyond its inputs
    reserved_bytes: int | None = None  # what the allocator held at most
    usage: Usage = field(default_factory=Usage)
    work: Work = field(default_factory=Work)
    device_state: str = ""  # clocks, power and throttling around the samples, where the device tells
