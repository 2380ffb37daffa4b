"""Is a GPU fit to measure? What its driver says of settings and of who else is on it."""

import os
from typing import Any

from halobench import units
from halobench.device.nvml import THROTTLED, handle
from halobench.doctor.checks import Finding


def findings(nvml: Any, uuid: object) -> list[Finding]:
    """Every check of one device; `nvml` is the module `pynvml`, or what answers as it does."""
    try:
        device = handle(nvml, uuid)
    except nvml.NVMLError as error:
        return [Finding("gpu", "warn", f"the driver tells nothing: {error}", "check nvidia-smi")]
    return [_asked(check, nvml, device) for check in (persistence, clocks, throttling, company, ecc)]


def _asked(check: Any, nvml: Any, device: Any) -> Finding:
    """A device need not answer every question."""
    try:
        finding: Finding = check(nvml, device)
    except nvml.NVMLError as error:
        return Finding(f"gpu {check.__name__}", "warn", f"not told: {error}")
    return finding


def persistence(nvml: Any, device: Any) -> Finding:
    if nvml.nvmlDeviceGetPersistenceMode(device):
        return Finding("gpu persistence", "ok", "on")
    return Finding(
        "gpu persistence", "warn", "off", "sudo nvidia-smi -pm 1: the driver unloads between cases"
    )


def clocks(nvml: Any, device: Any) -> Finding:
    now = nvml.nvmlDeviceGetClockInfo(device, nvml.NVML_CLOCK_SM)
    most = nvml.nvmlDeviceGetMaxClockInfo(device, nvml.NVML_CLOCK_SM)
    return Finding("gpu clocks", "ok", f"{now} MHz now, {most} MHz at most")


def throttling(nvml: Any, device: Any) -> Finding:
    reasons = nvml.nvmlDeviceGetCurrentClocksEventReasons(device)
    if named := [name for bit, name in THROTTLED.items() if reasons & bit]:
        return Finding("gpu throttling", "bad", ", ".join(named), "let it cool, or raise its power limit")
    return Finding("gpu throttling", "ok", "none")


def company(nvml: Any, device: Any) -> Finding:
    """Processes on the device other than this one."""
    others = [p.pid for p in nvml.nvmlDeviceGetComputeRunningProcesses(device) if p.pid != os.getpid()]
    if others:
        found = f"{len(others)} others: {', '.join(map(str, others))}"
        return Finding("gpu company", "bad", found, "stop them: they share its memory and its time")
    return Finding("gpu company", "ok", "no other process")


def ecc(nvml: Any, device: Any) -> Finding:
    """Said because it changes bandwidth on some devices, not because it is wrong."""
    current, _ = nvml.nvmlDeviceGetEccMode(device)
    wrong = nvml.nvmlDeviceGetTotalEccErrors(
        device, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
    ) if current else 0  # fmt: skip
    if wrong:
        return Finding("gpu memory", "bad", f"{units.count(wrong)} errors not corrected", "do not use it")
    return Finding("gpu memory", "ok", f"error correction {'on' if current else 'off'}")
