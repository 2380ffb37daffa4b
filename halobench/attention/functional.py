"""The public call: halo attention of tensors by any implementation."""

from functools import lru_cache

import torch
from torch import Tensor

from halobench.attention.implementation import IMPLEMENTATIONS, Position, resolved
from halobench.attention.problem import Problem

NAMES = ("q", "k", "v", "relative height", "relative width")  # of the tensors of a call, in messages
Shape = tuple[int, ...]


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
    """Compute attention of every query to the block it lies in and `halo` positions around it.

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
        ValueError: shapes, dtypes or devices that do not fit, or a problem the implementation cannot do.
        KeyError: an unknown implementation; the message lists the known.

    Example:
        >>> q, k, v = (torch.randn(1, 4, 32, 32, 16) for _ in range(3))
        >>> halo_attention(q, k, v, block=8, halo=3).shape
        torch.Size([1, 4, 32, 32, 16])
    """
    tables = () if position is None else (position[0].shape, position[1].shape)
    given = (
        q.shape, k.shape, v.shape, tables, q.dtype, block, halo, stride, border, offset, scale, position_scale
    )  # fmt: skip
    try:
        problem = _asked(*given) if torch.compiler.is_compiling() else _asked_before(*given)
    except TypeError:  # a size that is still a symbol, or an option of a wrong type, cannot be looked up
        problem = _asked(*given)
    for what, tensor in zip(NAMES, (q, k, v, *(position or ())), strict=False):
        if tensor.dtype != q.dtype or tensor.device != q.device:
            raise ValueError(
                f"{what} must be {q.dtype} on {q.device} like q, not {tensor.dtype} on {tensor.device}"
            )
    name = resolved(implementation, q.device.type)
    entry = IMPLEMENTATIONS[name]
    learns = torch.is_grad_enabled() and any(x.requires_grad for x in (q, k, v, *(position or ())))
    if reason := entry.unsupported(problem, q.device.type, "forward_backward" if learns else "forward"):
        raise ValueError(f"{name} cannot do this: {reason}")
    return entry.attend(q, k, v, position, problem)


def attend_maps(q: Tensor, kv: Tensor, asked: Problem, position: Position, implementation: str) -> Tensor:
    """Attend as a layer does, between its projections and its pooling.

    Args:
        q: the projected queries, `b (h d) y x`.
        kv: the projected keys and values, those of a head side by side: `b (h (d_qk d_v)) y x`.
        asked: heads, channels and options; its map's size, batch and dtype are not looked at.
        position: tables in the dtype of the queries, or None.
        implementation: a name of `halobench list`, or `auto`.

    Returns:
        `b (h d_v) y x`, a row and column for each query.
    """
    k, v = _by_head(kv, asked.heads).split([asked.dim_qk, asked.dim_v], dim=-1)
    out = halo_attention(
        _by_head(q, asked.heads),
        k,
        v,
        asked.block,
        asked.halo,
        stride=asked.stride,
        border=asked.border,
        position=position,
        scale=asked.scale,
        position_scale=asked.position_scale,
        offset=asked.offset,
        implementation=implementation,
    )
    return out.movedim(-1, 2).flatten(1, 2)


def _by_head(x: Tensor, heads: int) -> Tensor:
    """b (h d) y x -> b h y x d, a view"""
    by_head: Tensor = x.unflatten(1, (heads, -1)).movedim(2, -1)
    return by_head


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
