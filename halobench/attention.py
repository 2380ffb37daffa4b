"""The contract of an attention implementation, the registry of them, and the public call."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from halobench import plugins
from halobench.problem import Problem
from halobench.registry import Registry

GROUP = "halobench.kernels"  # entry points of this group are implementations
AUTO = {"cpu": "haloed_chunked"}  # the best of ours on a device; elsewhere:
AUTO_ELSEWHERE = "sdpa_blocked"
NAME = re.compile(r"\w+")  # it is a part of a case's id
RESERVED = ("auto", "all", "original", "forward", "forward_backward", "inference", "training")
NAMES = ("q", "k", "v", "relative height", "relative width")  # of the tensors of a call, in messages

Shape = tuple[int, ...]
Position = tuple[Tensor, Tensor] | None  # tables of relative height and width: offset d_rel
Attend = Callable[[Tensor, Tensor, Tensor, Position, Problem], Tensor]
WhyNot = Callable[[Problem, str, str], str | None]  # problem, device, direction -> a reason, or None
Slots = Callable[[Problem], int]
Kernels = Callable[[Problem, str], "list[Build]"]  # problem, target
Adapt = Callable[[Tensor, Tensor, Tensor, Position, Problem], tuple[Tensor, ...]]


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


def no_kernels(problem: Problem, target: str) -> list[Build]:
    return []


def runs_anywhere(problem: Problem, device: str, direction: str) -> str | None:
    return None


@dataclass(frozen=True)
class Attention:
    """An implementation: what computes it, where it can not run, how many query-slot pairs it computes.

    Others' code may want its inputs in another form than the contract's: `adapt` is what our wrapper
    does to them first, called by `attend` too. It is timed for itself, so that nobody looks slow for it.
    """

    name: str
    attend: Attend
    unsupported: WhyNot = runs_anywhere
    slots: Slots = Problem.slots
    adapt: Adapt | None = None
    imports: tuple[str, ...] = ()  # modules of others that the first call imports; a sweep does it before
    kernels: Kernels = no_kernels  # of Triton, forward and backward, as launched on a target
    module: str = ""  # whose import registers it


ATTENTIONS: Registry[Attention] = Registry("attention implementation")


def attention(  # noqa: PLR0913  one keyword a field of the contract
    name: str,
    *,
    unsupported: WhyNot = runs_anywhere,
    slots: Slots = Problem.slots,
    adapt: Adapt | None = None,
    imports: tuple[str, ...] = (),
    kernels: Kernels = no_kernels,
) -> Callable[[Attend], Attend]:
    """Register a function of queries, keys, values (axes `b h y x d`), position tables and the problem."""

    if not NAME.fullmatch(name) or name in RESERVED:
        raise ValueError(f"an implementation's name is letters, digits and _, and none of ours: not {name!r}")
    module = str(sys._getframe(1).f_globals["__name__"])  # the function may be another module's

    def register(attend: Attend) -> Attend:
        ATTENTIONS.add(name, Attention(name, attend, unsupported, slots, adapt, imports, kernels, module))
        return attend

    return register


def find(name: str) -> Attention:
    """The implementation of this name, importing its plug-in and no other.

    Raises:
        KeyError: there is none; the message lists the known names.
        LeftOutError: its plug-in can not be imported; the message says why.
    """
    if name not in ATTENTIONS:
        plugins.load_one(GROUP, name)
    if name not in ATTENTIONS:
        plugins.load_until(GROUP, name, ATTENTIONS)
    if name not in ATTENTIONS:
        known = dict.fromkeys([*ATTENTIONS, *plugins.names(GROUP)])
        raise KeyError(f"no {ATTENTIONS.kind} {name!r}; there are: {', '.join(known)}")
    return ATTENTIONS[name]


def load(implementation: str) -> None:
    """Import what a call by this name needs, as a compiler that traces a call cannot.

    Raises:
        KeyError: an unknown name; the message lists the known.
        LeftOutError: its plug-in can not be imported.
    """
    for name in (*AUTO.values(), AUTO_ELSEWHERE) if implementation == "auto" else (implementation,):
        find(name)


def resolved(implementation: str, device: str) -> str:
    """What `auto` means on this device; any other name as it is."""
    return AUTO.get(device, AUTO_ELSEWHERE) if implementation == "auto" else implementation


def halo_attention(  # noqa: PLR0913  the public call: one keyword an option of the operation
    q: Tensor,
    k: Tensor,
    v: Tensor,
    block: int = 8,
    halo: int = 3,
    *,
    stride: int = 1,
    border: str = "mask",
    position: Position = None,
    scale: float | None = None,
    position_scale: float = 1.0,
    offset: str = "exact",
    implementation: str = "auto",
) -> Tensor:
    """Attention of every query to the block it lies in and `halo` positions around it.

    Args:
        q: `(batch, heads, ceil(height / stride), ceil(width / stride), dim_qk)`, in any memory layout.
        k: `(batch, heads, height, width, dim_qk)`.
        v: `(batch, heads, height, width, dim_v)`.
        block: positions along a side of a block; `stride` divides it.
        halo: positions around a block that its queries see too.
        stride: queries are every `stride`-th position of each axis.
        border: `mask`: slots outside the map get no weight; `zero`: they are keys and values of zero.
        position: tables of relative height and width, each `(2 * (block + 2 * halo) - 1, width)`;
            dim_qk wide, their logits are summed; dim_qk / 2 wide, they take half the channels each.
        scale: of q.k; `dim_qk ** -0.5` if not given.
        position_scale: of the relative logits.
        offset: `exact`, or `compact` (rows count queries, not positions: timm at stride 2).
        implementation: a name of `halobench list`, or `auto`.

    Returns:
        `(batch, heads, ceil(height / stride), ceil(width / stride), dim_v)`.

    Raises:
        ValueError: shapes, dtypes or devices that do not fit, or a problem the implementation can not do.
        KeyError: an unknown implementation; the message lists the known.
    """
    tables = () if position is None else (position[0].shape, position[1].shape)
    given = (
        q.shape, k.shape, v.shape, tables, q.dtype, block, halo, stride, border, offset, scale, position_scale
    )  # fmt: skip
    try:
        problem = _asked(*given) if torch.compiler.is_compiling() else _asked_before(*given)
    except TypeError:  # a size that is still a symbol, or an option of a wrong type, can not be looked up
        problem = _asked(*given)
    for what, tensor in zip(NAMES, (q, k, v, *(position or ())), strict=False):
        if tensor.dtype != q.dtype or tensor.device != q.device:
            raise ValueError(
                f"{what} must be {q.dtype} on {q.device} like q, not {tensor.dtype} on {tensor.device}"
            )
    name = resolved(implementation, q.device.type)
    entry = find(name)
    learns = torch.is_grad_enabled() and any(x.requires_grad for x in (q, k, v, *(position or ())))
    if reason := entry.unsupported(problem, q.device.type, "forward_backward" if learns else "forward"):
        raise ValueError(f"{name} can not do this: {reason}")
    return entry.attend(q, k, v, position, problem)


def _asked(  # noqa: PLR0913  all that a problem is made of
    q: Shape, k: Shape, v: Shape, tables: tuple[Shape, ...], dtype: torch.dtype, block: int, halo: int,
    stride: int, border: str, offset: str, scale: float | None, position_scale: float,
) -> Problem:  # fmt: skip
    """The problem of these shapes; ValueError where they do not fit it."""
    batch, heads, height, width, dim_qk = _axes("k", k)
    problem = Problem(
        batch=batch,
        heads=heads,
        height=height,
        width=width,
        dim_qk=dim_qk,
        dim_v=_axes("v", v)[-1],
        block=block,
        halo=halo,
        stride=stride,
        border=border,
        position=_kind(tables[0][-1], dim_qk) if tables else "none",
        offset=offset,
        scale=scale,
        position_scale=position_scale,
        dtype=str(dtype).removeprefix("torch."),
    )
    expected = problem.q_shape, problem.k_shape, problem.v_shape, *[problem.table_shape] * len(tables)
    for name, shape, needed in zip(NAMES, (q, k, v, *tables), expected, strict=False):
        if tuple(shape) != needed:
            raise ValueError(f"{name} must have shape {needed}, not {tuple(shape)}")
    return problem


_asked_before = lru_cache(4096, typed=True)(_asked)  # a block of 8.0 is not one of 8


def _axes(name: str, shape: Shape) -> Shape:
    if len(shape) != len("bhyxd"):
        raise ValueError(
            f"{name} must have the axes (batch, heads, height, width, dim), not shape {tuple(shape)}"
        )
    return shape


def _kind(width: int, dim_qk: int) -> str:
    if width == dim_qk:
        return "sum"
    if 2 * width == dim_qk:
        return "split"
    raise ValueError(f"position tables must be dim_qk = {dim_qk} or half of it wide, not {width}")
