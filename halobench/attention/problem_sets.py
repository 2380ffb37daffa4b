"""Named problems: hard ones to check implementations on, and standard ones to compile kernels for."""

from typing import Any

from halobench.attention.problem import Problem
from halobench.errors import UsageError

PROBLEMS = {
    "one position": Problem(height=1, width=1, block=1, halo=0, position="sum"),
    "no halo": Problem(height=4, width=4, block=2, halo=0, position="sum"),
    "no halo, cut-off blocks": Problem(height=5, width=3, block=2, halo=0),
    "no halo, cut-off blocks, zero border": Problem(
        height=3, width=10, block=4, halo=0, heads=2, border="zero", position="sum"
    ),
    "several blocks, no position": Problem(height=12, width=8, block=4, halo=2, heads=3),
    "several blocks, no position, cut off": Problem(
        height=9, width=10, block=4, halo=3, batch=2, dim_qk=5, dim_v=5
    ),
    "several blocks, no position, zero border": Problem(
        height=8, width=12, block=4, halo=1, heads=2, border="zero"
    ),
    "one position wide": Problem(height=8, width=1, block=4, halo=1, position="sum"),
    "not square, odd heads": Problem(height=4, width=6, block=2, halo=1, batch=2, heads=3, position="sum"),
    "zero border": Problem(
        height=6, width=3, block=3, halo=2, dim_qk=8, dim_v=8, border="zero", position="sum"
    ),
    "one block, halo all outside": Problem(
        height=4, width=4, block=4, halo=1, border="zero", position="split"
    ),
    "per-pixel windows": Problem(height=5, width=4, block=1, halo=2, position="split"),
    "halo wider than the map": Problem(height=4, width=4, block=1, halo=9, border="zero"),
    "block larger than the map": Problem(height=5, width=3, block=8, halo=3, border="zero", position="sum"),
    "cut-off blocks": Problem(height=11, width=9, block=4, halo=3, batch=2, heads=2, position="sum"),
    "cut-off blocks, zero border, stride": Problem(
        height=11, width=9, block=4, halo=3, stride=2, border="zero", position="sum", heads=2
    ),
    "stride 2, exact offsets": Problem(
        height=8, width=12, block=4, halo=1, stride=2, position="split", heads=2
    ),
    "stride 2, compact offsets": Problem(
        height=16,
        width=8,
        block=8,
        halo=3,
        stride=2,
        border="zero",
        position="sum",
        offset="compact",
        heads=2,
    ),
    "stride of a whole block": Problem(height=6, width=6, block=3, halo=1, stride=3, position="sum"),
    "wide values, odd block": Problem(
        height=14, width=7, block=7, halo=2, dim_qk=24, dim_v=72, heads=2, border="zero", position="sum"
    ),
    "narrow values": Problem(height=6, width=6, block=3, halo=1, dim_qk=10, dim_v=3, position="split"),
    "both scales": Problem(
        height=8, width=8, block=4, halo=2, scale=0.7, position_scale=-1.3, border="zero", position="sum"
    ),
    "no position, no mask needed": Problem(height=8, width=8, block=8, halo=0),
    "many chunks": Problem(height=40, width=24, block=8, halo=3, batch=3, heads=2, position="sum"),
    "chunks of rows, the last cut off": Problem(height=75, width=64, block=16, halo=3, position="sum"),
    "large logits": Problem(height=8, width=8, block=4, halo=2, scale=40.0, position="sum"),
    "bfloat16": Problem(height=16, width=16, block=8, halo=3, heads=2, position="sum", dtype="bfloat16"),
    "float16": Problem(
        height=16, width=16, block=8, halo=3, heads=2, position="sum", border="zero", dtype="float16"
    ),
    "float64": Problem(height=9, width=9, block=4, halo=2, position="sum", dtype="float64"),
}


def _problem(size: int, heads: int, dim: int, **others: int) -> Problem:
    fields: dict[str, Any] = {"batch": 64, "block": 8, "halo": 3, "dim_v": dim} | others
    return Problem(
        height=size,
        width=size,
        heads=heads,
        dim_qk=dim,
        border="zero",
        position="sum",
        dtype="bfloat16",
        **fields,
    )


STANDARD = {
    "64x64 n4 d16 b8h3": _problem(64, 4, 16),
    "64x64 n8 d8 b8h3": _problem(64, 8, 8),
    "32x32 n8 d16 b8h3": _problem(32, 8, 16),
    "32x32 n4 d32 b8h3": _problem(32, 4, 32),
    "16x16 n8 d32 b8h3": _problem(16, 8, 32),
    "16x16 n8 d16 v32 b8h2s2": _problem(16, 8, 16, halo=2, dim_v=32, stride=2),
    "14x14 n8 d24 v72 b7h2": _problem(14, 8, 24, block=7, halo=2, dim_v=72),
    "8x8 n8 d64 b8h3": _problem(8, 8, 64),
}
FAMILY = {  # the paper's networks at their own sizes (table A2), and its largest blocks, of detection
    "60x60 n4 d16 b10h3": _problem(60, 4, 16, block=10),
    "60x60 n4 d16 b12h2": _problem(60, 4, 16, block=12, halo=2),
    "56x56 n4 d16 b14h2": _problem(56, 4, 16, block=14, halo=2),
    "64x64 n4 d16 b8h4": _problem(64, 4, 16, halo=4),
    "64x64 n8 d32 b16h4": _problem(64, 8, 32, block=16, halo=4),
    "128x128 n4 d16 b32h3": _problem(128, 4, 16, block=32),
}
SETS = {"standard": STANDARD, "all": STANDARD | FAMILY}


def problems(name: str) -> dict[str, Problem]:
    """A set by its name; UsageError with the known."""
    if name not in SETS:
        raise UsageError(f"problems: {name!r} must be one of {', '.join(SETS)}")
    return SETS[name]
