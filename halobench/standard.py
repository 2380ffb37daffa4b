"""The problems that kernels are compiled for: maps of HaloNets and of timm's models."""

from typing import Any

from halobench.problem import Problem


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
    """A set by its name; ValueError with the known."""
    if name not in SETS:
        raise ValueError(f"problems: {name!r} must be one of {', '.join(SETS)}")
    return SETS[name]
