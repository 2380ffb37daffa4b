"""The contract of an attention implementation, and the registry of them."""

import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from halobench import plugins
from halobench.attention.build import Build
from halobench.attention.problem import Problem
from halobench.errors import UsageError
from halobench.registry import Registry

GROUP = "halobench.kernels"  # entry points of this group are implementations
AUTO = {"cpu": "haloed_chunked"}  # the best of ours on a device; elsewhere:
AUTO_ELSEWHERE = "sdpa_blocked"
NAME = re.compile(r"\w+")  # it is a part of a case's id
RESERVED = ("auto", "all", "original", "forward", "forward_backward", "inference", "training")
Position = tuple[Tensor, Tensor] | None  # tables of relative height and width: offset d_rel
Attend = Callable[[Tensor, Tensor, Tensor, Position, Problem], Tensor]
WhyNot = Callable[[Problem, str, str], str | None]  # problem, device, direction -> a reason, or None
Slots = Callable[[Problem], int]
Kernels = Callable[[Problem, str], "list[Build]"]  # problem, target
Adapt = Callable[[Tensor, Tensor, Tensor, Position, Problem], tuple[Tensor, ...]]


def no_kernels(problem: Problem, target: str) -> list[Build]:
    return []


def runs_anywhere(problem: Problem, device: str, direction: str) -> str | None:
    return None


@dataclass(frozen=True)
class Implementation:
    """A way to compute halo attention, and what the rest of the program must know about it.

    Attributes:
        name: letters, digits and underscores; a part of the id of a case.
        attend: `(q, k, v, position, problem) -> out`, axes `b h y x d`, differentiable where it can be.
        unsupported: `(problem, device, direction)` to the reason why it cannot do that, or None.
        slots: how many query-slot pairs it computes for a problem, padding included.
        adapt: what our wrapper does to the inputs before others' code can take them. `attend` calls it too;
            it is also timed by itself, so that nobody looks slow because of us.
        imports: modules that its first call imports; a sweep imports them before it measures.
        kernels: its Triton kernels for a problem, as a target would launch them.
        compile_s: seconds that its first call compiles for one direction, to plan by.
        module: the module whose import registers it.
    """

    name: str
    attend: Attend
    unsupported: WhyNot = runs_anywhere
    slots: Slots = Problem.slots
    adapt: Adapt | None = None
    imports: tuple[str, ...] = ()
    kernels: Kernels = no_kernels
    compile_s: float = 0.0
    module: str = ""


IMPLEMENTATIONS: Registry[Implementation] = Registry("attention implementation", GROUP)


def attention(  # noqa: PLR0913  one keyword a field of the contract
    name: str,
    *,
    unsupported: WhyNot = runs_anywhere,
    slots: Slots = Problem.slots,
    adapt: Adapt | None = None,
    imports: tuple[str, ...] = (),
    kernels: Kernels = no_kernels,
    compile_s: float = 0.0,
) -> Callable[[Attend], Attend]:
    """Register an implementation: a function of queries, keys, values, position tables and the problem.

    Args:
        name: letters, digits and underscores; the name of the plug-in's file.
        unsupported: `(problem, device, direction)` to the reason why it cannot do that, or None.
        slots: query-slot pairs that it computes for a problem, padding included.
        adapt: what a wrapper does to the inputs before others' code can take them, timed by itself.
        imports: modules that its first call imports.
        kernels: its Triton kernels for a problem, as a target would launch them.
        compile_s: seconds that its first call compiles for one direction, to plan by.

    Returns:
        A decorator that returns the function as it is.

    Raises:
        ValueError: the name is taken, is one of ours, or would spoil the id of a case.

    Example:
        >>> @attention("mine")
        ... def mine(q, k, v, position, problem):
        ...     return v.clone()  # wrong, which is what `halobench check --implementation mine` says
        >>> IMPLEMENTATIONS["mine"].attend is mine
        True
        >>> IMPLEMENTATIONS.remove("mine")
    """
    if not NAME.fullmatch(name) or name in RESERVED:
        raise ValueError(f"an implementation's name is letters, digits and _, and none of ours: not {name!r}")
    module = str(sys._getframe(1).f_globals["__name__"])  # the function may be another module's

    def register(attend: Attend) -> Attend:
        IMPLEMENTATIONS.add(
            name, Implementation(name, attend, unsupported, slots, adapt, imports, kernels, compile_s, module)
        )
        return attend

    return register


def load_files(files: Iterable[Path]) -> None:
    """Register the implementations in these files, here and in every process that is started from here.

    Raises:
        UsageError: there is no such file, it registers nothing, or another file has its name.
        LeftOutError: it cannot be imported; the message says why.
    """
    files = list(files)
    plugins.add_files(files)
    for file in files:
        before = IMPLEMENTATIONS.registered()
        plugins.load_one(GROUP, file.stem)
        if IMPLEMENTATIONS.registered() == before and file.stem not in before:
            raise UsageError(
                f"plugin: {file} registers no implementation with `halobench.attention.attention`"
            )


def load(implementation: str) -> None:
    """Import what a call by this name needs, as a compiler that traces a call cannot.

    Raises:
        UnknownName: the message lists the names that there are.
        LeftOutError: its plug-in cannot be imported.
    """
    for name in (*AUTO.values(), AUTO_ELSEWHERE) if implementation == "auto" else (implementation,):
        _ = IMPLEMENTATIONS[name]


def resolved(implementation: str, device: str) -> str:
    """What `auto` means on this device; any other name as it is."""
    return AUTO.get(device, AUTO_ELSEWHERE) if implementation == "auto" else implementation
