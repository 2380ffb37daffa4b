"""What a measurement used besides time: CPU time, page faults, context switches, and what others used."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

STAT = Path("/proc/stat")
IDLE = (3, 4)  # columns of its first line, which counts the time of all processors: idle, waiting for a disk
GUEST = 8  # from here on: what user time holds already


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What the process of a case used during its timed calls, all of them together, and others meanwhile."""

    calls: int = 0
    user_s: float = 0.0  # CPU time of all threads
    system_s: float = 0.0
    page_faults: int = 0  # a page of memory touched for the first time, or read from a disk
    voluntary_switches: int = 0  # a thread waited
    involuntary_switches: int = 0  # a thread was put aside for another
    wall_s: float = 0.0  # from the first timed call to the last
    others_s: float = 0.0  # CPU time in `wall_s` of other processes, and of other machines on this one

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(**{name: value - getattr(other, name) for name, value in vars(self).items()})


def own() -> Usage:
    """Return what this process has used since it started; two of them tell what it used in between."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(
        user_s=spent.ru_utime,
        system_s=spent.ru_stime,
        page_faults=spent.ru_minflt + spent.ru_majflt,
        voluntary_switches=spent.ru_nvcsw,
        involuntary_switches=spent.ru_nivcsw,
    )


def others() -> Usage:
    """The time, and the CPU time that other processes and, by a hypervisor's hand, other machines have had.

    The difference of two tells what they had in between. The system counts in steps of 10 ms, so a short time
    tells little, and may come to less than nothing.
    """
    ours = own()
    return Usage(wall_s=monotonic(), others_s=_busy_s() - ours.user_s - ours.system_s)


def _busy_s() -> float:
    """CPU time of the whole machine so far, in seconds; 0 where the system does not tell."""
    try:
        ticks = [int(word) for word in STAT.read_text(encoding="ascii").split("\n", 1)[0].split()[1:]]
    except OSError:
        return 0.0
    busy = sum(count for place, count in enumerate(ticks[:GUEST]) if place not in IDLE)
    return busy / os.sysconf("SC_CLK_TCK")
