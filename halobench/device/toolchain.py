"""What torch.compile needs beside torch: on a CPU it writes C++."""

import os
import shlex
import shutil
import sysconfig
from pathlib import Path


def missing(device: str) -> str | None:
    """What a machine lacks to compile for a device, as a reason; None where it has all."""
    if device != "cpu":
        return None
    compiler = shlex.split(os.environ.get("CXX", "g++"))[0]  # CXX is where torch looks first
    if shutil.which(compiler) is None:
        return f"needs {compiler}"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "needs the header files of Python"
    return None
