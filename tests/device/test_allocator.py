"""Real processes: the state of an allocator is that of the whole process."""

import subprocess
import sys
from pathlib import Path

import pytest

from halobench.device import allocator
from halobench.errors import UsageError

FAULTS = """
import resource, sys, torch
from halobench.device import allocator

allocator.enter(sys.argv[1])
size = int(sys.argv[2])
for _ in range(20):
    torch.ones(size, dtype=torch.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(size, dtype=torch.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
MIB = 2**20


def faults(state, size):
    """Page faults of ten tensors of so many bytes, made one after the other."""
    command = [sys.executable, "-c", FAULTS, state, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.slow
def test_large_tensors_are_not_faulted_in_anew_in_a_steady_state():
    assert faults("steady", 30 * MIB) < 50
    assert (
        faults("steady", 40 * MIB) > 10 * 40 * MIB / 2**21
    )  # beyond glibc's own limit, in pages of any size


@pytest.mark.slow
def test_nothing_is_given_back_in_a_pool():
    assert faults("pooled", 40 * MIB) < 50


def test_a_preloaded_library_is_named(tmp_path):
    maps = tmp_path / "maps"
    maps.write_text("7f00-7f01 r-xp 00000000 08:01 1 /usr/lib/x86_64-linux-gnu/libjemalloc.so.2\n")
    assert allocator.library(maps) == "jemalloc"
    assert allocator.library(tmp_path / "none") == "glibc"
    assert allocator.library(Path("/proc/self/maps")) == "glibc"


def test_a_preloaded_library_has_no_states(monkeypatch):
    monkeypatch.setattr(allocator, "library", lambda: "tcmalloc")
    assert allocator.states() == ("tcmalloc",)
    allocator.enter("tcmalloc")
    with pytest.raises(UsageError, match="tcmalloc has no state 'pooled'; there is: tcmalloc"):
        allocator.enter("pooled")
