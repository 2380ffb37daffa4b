"""What a Triton kernel is compiled for: how a GPU that is not here would launch it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Build:
    """A Triton kernel as it is launched for a problem, to be compiled for a GPU that is not here."""

    kernel: str
    function: Any  # decorated by triton.jit
    types: dict[str, str]  # of every argument, in Triton's words
    constants: dict[str, Any]
    aligned: tuple[str, ...]  # pointers, and strides that are multiples of 16
    options: dict[str, int]
    inside: dict[str, Any]  # constants that differ where a window lies inside the map
    trips: tuple[int, ...]  # of its loops there
    heads: int = 1  # that a program computes, one after the other
