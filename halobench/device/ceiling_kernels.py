"""Kernels that do one thing as fast as the device can: exponentials in registers, reads from its L2 cache."""

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024  # elements a program: eight independent chains a thread, to hide the latency of each
PROGRAMS = 32  # for each multiprocessor


@triton.jit
def _exponentials(p_out, REPEATS, BLOCK: tl.constexpr):
    o_x = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    b_x = o_x.to(tl.float32) * 1e-9  # [BLOCK]
    for _ in range(REPEATS):
        b_x = tl.exp2(-b_x)  # stays between 0 and 1 for ever
    tl.store(p_out + o_x, b_x)


@triton.jit
def _reads(p_x, p_out, TILES, REPEATS, BLOCK: tl.constexpr):
    i_program, o_x = tl.program_id(0), tl.arange(0, BLOCK)
    b_sum = tl.zeros((BLOCK,), tl.float32)
    for i_repeat in range(REPEATS):
        i_tile = (i_program + i_repeat * 61) % TILES  # another tile each time: none is in the L1 cache
        b_sum += tl.load(p_x + i_tile * BLOCK + o_x, cache_modifier=".cg")  # [BLOCK]
    tl.store(p_out + i_program * BLOCK + o_x, b_sum)


def exponentials(repeats: int) -> int:
    """Launch as many as this returns, each a power of two."""
    programs = _programs()
    out = torch.empty(programs * BLOCK, device="cuda")
    _exponentials[(programs,)](out, repeats, BLOCK)
    return out.numel() * repeats


def reads(x: Tensor, repeats: int) -> int:
    """Read as many bytes as this returns out of `x`, float32, again and again, past the L1 caches."""
    programs = _programs()
    out = torch.empty(programs * BLOCK, device="cuda")
    _reads[(programs,)](x, out, x.numel() // BLOCK, repeats, BLOCK)
    return out.nbytes * repeats


def _programs() -> int:
    return PROGRAMS * int(torch.cuda.get_device_properties("cuda").multi_processor_count)
