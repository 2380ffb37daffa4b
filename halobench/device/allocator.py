"""The state of the C library's allocator, which decides whether each large tensor is faulted in anew.

glibc gives memory back to the system above two thresholds, which it raises with what a process has freed so
far (mallopt(3), "dynamic mmap threshold"). Left alone, what a process happened to do before a call decides
how many page faults the call takes. Every child therefore starts in a state that has a name.
"""

import ctypes
from functools import cache
from pathlib import Path

from halobench.errors import UsageError

MIB = 2**20
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # parameters of mallopt(3)
STATES: dict[str, dict[int, int]] = {
    # where glibc's own rule ends: its largest mmap threshold, and twice that
    "steady": {MMAP_THRESHOLD: 32 * MIB, TRIM_THRESHOLD: 64 * MIB},
    "pooled": {MMAP_MAX: 0, TRIM_THRESHOLD: -1},  # nothing is given back
    "fresh": {},  # the thresholds of a new process, and glibc's rule
}
DEFAULT = "steady"
UNSTATED = "unstated"  # of runs that were stored before there were states
OTHERS = ("jemalloc", "tcmalloc", "mimalloc")  # libraries that are preloaded in place of glibc's


@cache
def library(maps: Path = Path("/proc/self/maps")) -> str:
    """The allocator that this process uses: `glibc`, or the name of a preloaded one."""
    try:
        loaded = maps.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "glibc"
    return next((name for name in OTHERS if f"lib{name}" in loaded), "glibc")


def states() -> tuple[str, ...]:
    """The states that a case can ask for here, the default first."""
    return tuple(STATES) if library() == "glibc" else (library(),)


def enter(state: str) -> None:
    """Bring this process into a state, before its first large allocation.

    Raises:
        UsageError: this process cannot be brought into it.
    """
    if state not in states():
        raise UsageError(f"allocator: {library()} has no state {state!r}; there is: {', '.join(states())}")
    for parameter, value in STATES.get(state, {}).items():
        if not ctypes.CDLL(None).mallopt(parameter, value):
            raise OSError(f"mallopt({parameter}, {value}) was refused")
