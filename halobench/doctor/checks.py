"""Is this machine fit to measure? Each check takes facts; it says ok, warn or bad, why, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from halobench import units

Verdict = Literal["ok", "warn", "bad"]

BUSY_CORES = 0.1  # that others use: more than the background of a desktop
FREE_BYTES = {"memory": 4 * 2**30, "disk": 2**30}
LOST_BYTES = {"memory": 2**30, "disk": 100 * 2**20}  # below these a sweep cannot be expected to end
FINEST_S = 1e-6  # steps of a clock that still show the shortest cases
QUIET, NOISY = 0.02, 0.1  # interquartile range over median
LATE = 2.0  # worst over median


@dataclass(frozen=True)
class Finding:
    """What a check says; `advice` where there is something to do."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def python(version: str, supported: str) -> Finding:
    if version in SpecifierSet(supported):
        return Finding("python", "ok", version)
    return Finding("python", "bad", f"{version}, supported is {supported}", "make a new virtual environment")


def packages(installed: Mapping[str, str | None], required: list[Requirement]) -> Finding:
    """Check that the packages halobench stands on are there, in the supported ranges."""
    unfit = [entry for entry in required if not _fits(installed.get(entry.name), entry)]
    said = ", ".join(
        f"{entry.name} {installed.get(entry.name) or 'missing'} (needs {entry})" for entry in unfit
    )
    if unfit:
        return Finding("packages", "bad", said, "pip install -c constraints.txt -e .")
    known = [f"{name} {installed[name]}" for name in ("torch", "triton", "timm") if installed.get(name)]
    return Finding("packages", "ok", ", ".join(known))


def pinned(installed: Mapping[str, str | None], pins: Mapping[str, str]) -> Finding:
    """Against the versions with which figures are published."""
    differ = [
        f"{name} {version} (pinned {pins[name]})"
        for name, version in installed.items()
        if version and name in pins and Version(version).public != pins[name]
    ]
    if not differ:
        return Finding("pinned versions", "ok", "as in constraints.txt")
    advice = "figures compare with published ones only at the pinned versions"
    return Finding("pinned versions", "warn", ", ".join(differ), advice)


def peers(installed: Mapping[str, str | None]) -> Finding:
    """Others' implementations, which are optional."""
    said = ", ".join(f"{name} {version or 'not installed'}" for name, version in installed.items())
    return Finding("peers", "ok", said, "" if all(installed.values()) else "pip install 'halobench[peers]'")


def compiler(missing: str | None) -> Finding:
    """Check what torch.compile lacks on a CPU."""
    if missing is None:
        return Finding("compiler", "ok", "there is all that torch.compile needs")
    return Finding(
        "compiler", "warn", missing, "install it: compiled implementations are unsupported without"
    )


def cuda(name: str | None) -> Finding:
    return Finding("cuda", "ok", name or "no device: cases run on the CPU")


def threads(used: int, cores: int, limit: float | None) -> Finding:
    """Compare torch's threads with the physical cores and with what the control group allows."""
    found = f"{used} of torch, {cores} cores" + (f", limited to {units.number(limit)}" if limit else "")
    if limit is not None and limit < 1:
        return Finding("threads", "bad", found, "give this process a whole core: it is stopped mid-case")
    if limit is not None and used > limit:
        return Finding("threads", "bad", found, f"--threads {max(1, int(limit))}: more are stopped mid-case")
    if used > cores:
        return Finding("threads", "warn", found, f"--threads {cores}: siblings of one core share its units")
    return Finding("threads", "ok", found)


def load(others: Mapping[str, float], average: float) -> Finding:
    """What other processes used of the CPU just now, in cores, and the average of the last minute."""
    busy = sum(others.values())
    largest = sorted(others, key=lambda name: -others[name])[:3]
    named = ", ".join(f"{name} {units.number(others[name])}" for name in largest if others[name] >= 0.01)
    found = f"others use {units.number(busy)} cores ({named or 'none'}), load {units.number(average)}"
    if busy > BUSY_CORES:
        return Finding("load", "bad" if busy > 5 * BUSY_CORES else "warn", found, "stop them, or wait")
    return Finding("load", "ok", found)


def frequency(governor: str | None, boost: bool | None) -> Finding:
    """How the clock of the processor is governed, and whether it may rise above its nominal rate."""
    if governor is None and boost is None:
        return Finding("frequency", "ok", "not told by this system")
    switch = {None: "not told", True: "on", False: "off"}[boost]
    found = f"governor {governor or 'not told'}, boost {switch}"
    if governor not in (None, "performance"):
        return Finding("frequency", "warn", found, "sudo cpupower frequency-set -g performance")
    if boost:
        return Finding("frequency", "warn", found, "switch boost off: the clock falls as cores warm up")
    return Finding("frequency", "ok", found)


def swap(used_bytes: float) -> Finding:
    if used_bytes:
        found = f"{units.bytes_(used_bytes)} in use"
        return Finding("swap", "warn", found, "free memory: what is swapped is slow when it is touched")
    return Finding("swap", "ok", "not in use")


def space(what: Literal["memory", "disk"], free_bytes: float) -> Finding:
    """Free memory, or free disk where runs are written."""
    found = f"{units.bytes_(free_bytes)} free"
    if free_bytes < FREE_BYTES[what]:
        verdict: Verdict = "bad" if free_bytes < LOST_BYTES[what] else "warn"
        return Finding(what, verdict, found, f"{units.bytes_(FREE_BYTES[what])} are enough for most cases")
    return Finding(what, "ok", found)


def virtual(hypervisor: bool, stolen: float) -> Finding:
    """Whether this is a guest, and the share of time its host gave to others since it started."""
    if not hypervisor:
        return Finding("virtual machine", "ok", "no")
    found = f"yes, {units.percent(stolen)} of its time went to others"
    return Finding("virtual machine", "warn", found, "neighbours are not seen: measure with --replicates 5")


def timer(step_s: float) -> Finding:
    if step_s > FINEST_S:
        return Finding("clock", "bad", f"steps of {units.seconds(step_s)}", "set the clock source to tsc")
    return Finding("clock", "ok", f"steps of {units.seconds(step_s)}")


def noise(samples: list[float]) -> Finding:
    """Judge how much repeated identical work varies: no case here can be known better than that."""
    middle, (low, _, high) = median(samples), quantiles(samples, n=4)
    spread, worst = (high - low) / middle, max(samples) / middle
    found = (
        f"a product of {units.seconds(middle)}: quartiles {units.percent(spread)} apart, "
        f"worst {units.ratio(worst)} the median"
    )
    if spread > QUIET or worst > LATE:
        advice = "stop other work; measure with --replicates 5, and compare with a --threshold above this"
        return Finding("noise", "bad" if spread > NOISY else "warn", found, advice)
    return Finding("noise", "ok", found)


def _fits(version: str | None, required: Requirement) -> bool:
    return version is not None and required.specifier.contains(version, prereleases=True)
