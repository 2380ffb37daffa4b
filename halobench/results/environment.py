"""Where a run was made: machine, device, versions, commit. Written once a run, compared on resuming."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import torch

from halobench import plugins
from halobench.device import allocator, cpu_limit, openmp, ptxas

PACKAGES = ("halobench", "torch", "triton", "timm", "torchvision", "numpy", "pandas", "scipy")
KEY = (  # runs that differ here do not mix
    *("commit", "machine", "system", "cpu", "torch_cpu", "cores", "affinity", "cpu_limit", "gpu"),
    *("python", "packages", "allocator", "wait_policy"),
)
GROUPS = ("halobench.kernels", "halobench.reports", "halobench.metrics")  # of entry points
SINCE_SCHEMA_5 = ("affinity", "cpu_limit")  # what an older run does not tell is not held against it


def environment(command: list[str], wait_policy: str = openmp.DEFAULT) -> dict[str, Any]:
    """Everything a reader needs to judge a figure, and the command to make it again."""
    return {
        "command": shlex.join(["halobench", *command[1:]]),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "python": sys.version.split()[0],
        "packages": {name: installed_version(name) for name in PACKAGES},
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cores": psutil.cpu_count(logical=False) or os.cpu_count(),
        "logical_cores": os.cpu_count(),
        "affinity": cpu_limit.affinity(),
        "cpu_limit": cpu_limit.cpu_limit(),
        "memory_bytes": psutil.virtual_memory().total,
        "load_average": list(os.getloadavg()),
        "torch_cpu": torch.backends.cpu.get_cpu_capability(),
        "gpu": _gpu(),
        "allocator": allocator.library(),
        "huge_pages": _bracketed(Path("/sys/kernel/mm/transparent_hugepage/enabled")),
        "wait_policy": openmp.effective(wait_policy),
        "plugin_files": plugins.digests(),
        "plugins": plugins.distributions(GROUPS),
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What keeps two runs from being one, as text."""
    return [
        f"{name} was {before.get(name)}, now {now.get(name)}"
        for name in KEY
        if before.get(name) != now.get(name)
        and not (name in SINCE_SCHEMA_5 and (name not in before or name not in now))
    ]


def commit() -> str:
    """Return the commit of this package's checkout, with `+changes` if it has any; empty where it is none."""
    here = Path(__file__)
    try:
        _git(here.parent, "ls-files", "--error-unmatch", here.name)  # or it is another project's checkout
        return _git(here.parent, "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+changes")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def installed_version(package: str) -> str | None:
    """Return the version of a distribution; None where there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _bracketed(path: Path) -> str | None:
    """The choice that the system marks with brackets; None where it does not tell."""
    try:
        return path.read_text(encoding="ascii").partition("[")[2].partition("]")[0]
    except OSError:
        return None


def _gpu() -> dict[str, Any] | None:
    if not torch.cuda.is_available():
        return None
    device = torch.cuda.get_device_properties("cuda")
    return {
        "name": device.name,
        "memory_bytes": device.total_memory,
        "l2_bytes": device.L2_cache_size,
        "multiprocessors": device.multi_processor_count,
        "capability": f"{device.major}.{device.minor}",
        "cuda": torch.version.cuda,
        "ptxas": "" if torch.version.hip else ptxas.chosen(),
    }
