import importlib.util
import os
import subprocess
import sys

import pytest
import torch

from halobench.device import ceilings

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs triton")

COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from halobench.device import ceiling_kernels as kernels

pointers = {"p_x": "*fp32", "p_out": "*fp32"}
for name, kernel in {"exponentials": kernels._exponentials, "reads": kernels._reads}.items():
    types = {arg: pointers.get(arg, "constexpr" if arg == "BLOCK" else "i32") for arg in kernel.arg_names}
    source = ASTSource(kernel, types, {"BLOCK": kernels.BLOCK})
    ptx = triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"]
    print(name, ptx.count("ex2.approx"), ptx.count("ld.global.cg"))
"""

INTERPRETED = """
import torch
from halobench.device import ceiling_kernels as kernels

x = torch.arange(5.0).repeat_interleave(kernels.BLOCK)  # tile 0 holds zeros, tile 1 ones, ...
out = torch.empty(2, kernels.BLOCK)
kernels._reads[(2,)](x, out, 5, 3, kernels.BLOCK)
print(out[:, 0].tolist(), bool((out == out[:, :1]).all()))
kernels._exponentials[(2,)](out, 200, kernels.BLOCK)
print(round(float(out.min()), 5), round(float(out.max()), 5))
"""


def told(script, **environment):
    """Lines that a script prints in a process of its own: triton compiles or interprets, not both in one."""
    known = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=known | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("group", [name for name in ceilings.GROUPS if name != "timer"])
def test_every_group_is_tried_out_on_a_cpu(group):
    found = ceilings.GROUPS[group]("cpu", True)
    assert found
    assert all(value > 0 and unit in ("B/s", "FLOP/s", "1/s", "s") for value, unit in found.values())


def test_the_timer_is_that_of_a_gpu():
    assert ceilings.timer("cpu", True) == {}


def test_a_copy_reads_and_writes_and_a_triad_reads_twice(monkeypatch):
    monkeypatch.setattr(ceilings, "seconds", lambda call, device: 1e-3)
    tensor = 2**16 * 4  # bytes of the small tensor of float32
    rates = {name: value * 1e-3 for name, (value, _) in ceilings.bandwidth("cpu", True).items()}
    assert rates == pytest.approx(
        {"bandwidth copy": 2 * tensor, "bandwidth read": tensor, "bandwidth triad": 3 * tensor}
    )


def test_a_thin_product_is_that_of_a_block_and_its_window(monkeypatch):
    monkeypatch.setattr(ceilings, "seconds", lambda call, device: 1e-3)
    window, block, channels, batch = 14 * 14, 8 * 8, 16, 16
    value, unit = ceilings.matrix("cpu", True)["matrix thin bfloat16"]
    assert (value * 1e-3, unit) == (pytest.approx(2 * batch * block * window * channels), "FLOP/s")


def test_tf32_is_on_for_its_own_products_only(monkeypatch):
    seen = []
    monkeypatch.setattr(
        ceilings, "seconds", lambda call, device: seen.append(torch.get_float32_matmul_precision()) or 1.0
    )
    ceilings.matrix("cpu", True)
    assert seen[:4] == ["highest", "highest", "high", "high"]
    assert set(seen[4:]) == {torch.get_float32_matmul_precision()} == {"highest"}


@pytest.mark.slow
@needs_triton
def test_the_kernels_compile_to_what_they_are_named_for():
    exponentials, reads = told(COMPILED)
    assert exponentials == "exponentials 8 0"  # BLOCK over 4 warps of 32: eight a thread
    assert reads.startswith("reads 0 ")
    assert int(reads.split()[-1]) > 0


@pytest.mark.slow
@needs_triton
def test_the_kernels_read_every_tile_and_iterate_the_exponential():
    sums, same = told(INTERPRETED, TRITON_INTERPRET="1")[0].rsplit(maxsplit=1)
    assert (sums, same) == ("[3.0, 6.0]", "True")  # tiles 0, 61, 122 of 5: 0 + 1 + 2, and 1 + 2 + 3
    assert told(INTERPRETED, TRITON_INTERPRET="1")[1] == "0.64119 0.64119"  # x = 2 ** -x
