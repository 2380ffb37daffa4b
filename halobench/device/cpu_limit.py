"""How much of the CPU this process may use: which processors, and what its control groups allow."""

import os
from pathlib import Path

ROOT = Path("/")


def affinity() -> str:
    """Return the processors that this process may run on, as ranges: `0-3,6`."""
    ranges: list[list[int]] = []
    for processor in sorted(os.sched_getaffinity(0)):
        if ranges and processor == ranges[-1][-1] + 1:
            ranges[-1][1:] = [processor]
        else:
            ranges.append([processor])
    return ",".join("-".join(map(str, bounds)) for bounds in ranges)


def cpu_limit(root: Path = ROOT) -> float | None:
    """Return the cores that control groups allow, the least of nested ones; None where none sets a limit."""
    limits = [limit for folder in _folders(root) if (limit := _limit(folder)) is not None]
    return min(limits, default=None)


def _folders(root: Path) -> list[Path]:
    """The group of this process and all around it, in the hierarchies of both versions of control groups."""
    mounts = root / "sys/fs/cgroup"
    own = {mounts: "", mounts / "cpu": "", mounts / "cpu,cpuacct": ""}
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for mount in [mounts] if not controllers else [mounts / "cpu", mounts / "cpu,cpuacct"]:
            if not controllers or "cpu" in controllers.split(","):
                own[mount] = path.strip("/")
    return [mount.joinpath(*parts) for mount, path in own.items() for parts in _outward(Path(path).parts)]


def _outward(parts: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [parts[:count] for count in range(len(parts) + 1)]


def _limit(folder: Path) -> float | None:
    if quota := _read(folder / "cpu.max"):
        most, period = quota.split()
        return None if most == "max" else int(most) / int(period)
    most, period = (_read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    return int(most) / int(period) if most and period and int(most) > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
