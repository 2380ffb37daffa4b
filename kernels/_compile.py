"""torch.compile for functions that meet many problems: each problem has compiled code of its own."""

from functools import cache
from types import FunctionType
from typing import Any

import torch

from halobench.attention import Problem
from halobench.device import toolchain


def needs_compiler(problem: Problem, device: str, direction: str) -> str | None:
    return toolchain.missing(device)


@cache
def compiled(function: Any, problem: Problem) -> Any:
    """The function compiled for the sizes of this problem; an error where that is not possible as a whole.

    torch counts what it compiles by code object, and gives up after a few: a copy of it starts from none.
    """
    code = function.__code__.replace()
    own = FunctionType(code, function.__globals__, function.__name__, None, function.__closure__)
    return torch.compile(own, dynamic=False, fullgraph=True)
