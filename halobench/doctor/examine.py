"""Read what this machine is and does, one finding after the other."""

import os
import platform
import shutil
import time
from collections.abc import Iterable, Iterator
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import psutil
import pynvml
import torch
from packaging.requirements import Requirement

from halobench.device import toolchain
from halobench.device.clock import Clock, WallClock
from halobench.device.cpu_limit import cpu_limit
from halobench.doctor import checks, gpu_checks
from halobench.doctor.checks import Finding
from halobench.results.environment import installed_version

WATCHED_S = 1.0  # how long others are watched
SIDE, SAMPLED_S = 256, 2.0  # of the matrices whose product is timed, and for how long
ROOT = Path("/sys")
PINS = Path(__file__).parents[2] / "constraints.txt"  # of a checkout; a wheel has none


def findings() -> Iterator[Finding]:
    """What it is first; then what others do on it, and the noise that is left."""
    yield from _packages()
    yield from _processor()
    yield from _room()
    yield checks.cuda(torch.cuda.get_device_name() if torch.cuda.is_available() else None)
    if torch.cuda.is_available():
        yield from gpu_checks.findings(pynvml, torch.cuda.get_device_properties("cuda").uuid)
    yield checks.load(others(WATCHED_S), os.getloadavg()[0])
    yield checks.noise(product_times(WallClock(), SAMPLED_S))


def _packages() -> Iterator[Finding]:
    wanted = [Requirement(line) for line in metadata.requires("halobench") or []]
    needed = [entry for entry in wanted if _applies(entry)]
    installed = _versions(entry.name for entry in needed)
    yield checks.python(platform.python_version(), metadata.metadata("halobench")["Requires-Python"])
    yield checks.packages(installed, needed)
    if PINS.exists():
        yield checks.pinned(installed, pins(PINS.read_text(encoding="utf-8")))
    yield checks.peers(_versions(entry.name for entry in wanted if _applies(entry, "peers")))
    yield checks.compiler(toolchain.missing("cpu"))


def _processor() -> Iterator[Finding]:
    cores = min(psutil.cpu_count(logical=False) or os.cpu_count() or 1, len(os.sched_getaffinity(0)))
    yield checks.threads(torch.get_num_threads(), cores, cpu_limit())
    yield checks.frequency(governor(ROOT), boost(ROOT))
    spent = psutil.cpu_times()
    hypervisor = "hypervisor" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    yield checks.virtual(hypervisor, spent.steal / sum(spent))
    yield checks.timer(step())


def _room() -> Iterator[Finding]:
    yield checks.swap(psutil.swap_memory().used)
    yield checks.space("memory", psutil.virtual_memory().available)
    yield checks.space("disk", shutil.disk_usage("out" if Path("out").is_dir() else ".").free)


def pins(constraints: str) -> dict[str, str]:
    """The versions of a constraints file."""
    lines = (line.partition("#")[0].strip() for line in constraints.splitlines())
    return dict(line.split("==", 1) for line in lines if "==" in line)


def governor(root: Path) -> str | None:
    """Return the frequency governor of the first processor; None where the system does not tell."""
    return _read(root / "devices/system/cpu/cpu0/cpufreq/scaling_governor") or None


def boost(root: Path) -> bool | None:
    """Whether the clock may rise above its nominal rate; None where the system does not tell."""
    if stopped := _read(root / "devices/system/cpu/intel_pstate/no_turbo"):
        return stopped == "0"
    allowed = _read(root / "devices/system/cpu/cpufreq/boost")
    return allowed == "1" if allowed else None


def others(seconds: float) -> dict[str, float]:
    """Cores that processes other than this one use, by name, watched for so long."""
    watched = [process for process in psutil.process_iter(["name"]) if process.pid != os.getpid()]
    for process in watched:
        _used(process)  # the first answer is always 0
    time.sleep(seconds)
    busy: dict[str, float] = {}
    for process in watched:
        name = process.info["name"]
        busy[name] = busy.get(name, 0.0) + _used(process)
    return busy


def step() -> float:
    """The least time that the clock tells apart, in seconds."""
    times = [time.perf_counter_ns() for _ in range(1000)]
    return min((b - a for a, b in pairwise(times) if b > a), default=1e9) / 1e9


def product_times(clock: Clock, seconds: float) -> list[float]:
    """One product of matrices again and again, until it took so long in all."""
    a, b = torch.randn(2, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    clock.series(lambda: a @ b, 10)  # threads start
    samples: list[float] = []
    while sum(samples) < seconds:
        samples += [sample.device_s for sample in clock.series(lambda: a @ b, 100)]
    return samples


def _used(process: psutil.Process) -> float:
    try:
        return float(process.cpu_percent()) / 100
    except psutil.Error:  # it has ended, or is not ours to ask
        return 0.0


def _versions(names: Iterable[str]) -> dict[str, str | None]:
    return {name: installed_version(name) for name in names}


def _applies(entry: Requirement, extra: str = "") -> bool:
    """Whether a requirement is one of this system, and of this extra."""
    wanted = entry.marker is None or entry.marker.evaluate({"extra": extra})
    return wanted and ("extra" in str(entry.marker or "")) == bool(extra)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
