"""Which ptxas assembles what Triton compiles for NVIDIA's GPUs: a release known to miscompile is replaced.

GPUs from Blackwell on (sm_100) have another one in Triton's wheel, which is not concerned.
"""

import os
import re
import shutil
import subprocess
import warnings
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

VARIABLE = "TRITON_PTXAS_PATH"  # where Triton looks first
# 12.8.93, in the wheel of Triton 3.6, assembles wgmma descriptors from uniform registers that nothing has
# written: gradients of `triton_fused` with 32 channels are wrong on sm_90, and nothing says so.
MISCOMPILES = ("12.8",)


@cache
def chosen() -> str:
    """The release that assembles in this process from now on, such as `12.9`; empty where there is none.

    It is chosen once, before the first kernel is compiled: Triton asks once too. Warns where the only one
    at hand is known to miscompile. What the user has set is never replaced.
    """
    return choose(bundled(), [bundled("ptxas-blackwell"), *_installed()])


def choose(usual: str, others: Iterable[str]) -> str:
    """Choose as `chosen` does, among these paths."""
    told = release(os.environ.get(VARIABLE, ""))
    used = told or release(usual)  # Triton takes its own where it cannot run what it is told
    if used not in MISCOMPILES:
        return used
    better = {path: release(path) for path in others if not told}
    for path, found in better.items():
        if found and found not in MISCOMPILES:
            os.environ[VARIABLE] = path
            return found
    warnings.warn(
        f"ptxas {used} miscompiles Triton's kernels; set {VARIABLE} to that of another CUDA toolkit",
        stacklevel=2,
    )
    return used


@cache
def release(path: str) -> str:
    """What a ptxas says that it is; empty where it cannot be run."""
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    found = re.search(r"release (\d+\.\d+)", said)
    return found[1] if found else ""


def bundled(name: str = "ptxas") -> str:
    """The path of what Triton's wheel brings."""
    spec = find_spec("triton")
    places = (spec.submodule_search_locations if spec else None) or [""]
    return str(Path(places[0], "backends", "nvidia", "bin", name))


def _installed() -> list[str]:
    """Return the ptxas of installed CUDA toolkits."""
    homes = (os.environ.get("CUDA_HOME"), "/usr/local/cuda")
    return [*filter(None, [shutil.which("ptxas")]), *(f"{home}/bin/ptxas" for home in homes if home)]
