"""Halo attention in one kernel forward and two backward: nothing gathered, no logits in memory.

A program holds a tile of the queries of a block and walks over the slots of its window that lie inside
the map, with an online softmax. Each slot costs three products on the tensor cores: with the keys, and
two with rows of the identity, which put the relative logits of the window's rows and columns in place.
Slots outside a map with border `zero` are never read: they weigh in the sum by the product of a factor of
their row and one of their column. Forward reads q once and k and v as often as windows overlap, and saves
the output and the log-sum-exp. Backward forms the weights again, writes for each window what it adds to
the gradients of its keys and values, and a second kernel adds these up in a fixed order: the same bits
every time.
"""

import os
from contextlib import nullcontext
from functools import cache
from math import e, log2
from typing import Any

import torch
import triton  # type: ignore[import-untyped]
import triton.language as tl  # type: ignore[import-untyped]
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from halobench.attention import Build, Position, attention
from halobench.problem import Problem

from ._triton_backward import fold, halo_bwd
from ._triton_forward import halo_fwd
from ._windows import table_step

QUERIES, KEYS = 64, 64  # of a tile, and keys of a program that sums: what a warpgroup multiplies at once
FORWARD_CHUNK = 64  # slots a step
BACKWARD_CHUNKS = {32: 64, 64: 32}  # by the channels of a key and its value, as many as no target spills at
FEWEST = 16  # what a product of matrices takes along an axis
LAUNCH = {"num_warps": 4, "num_stages": 1}  # a pipeline takes shared memory from other programs
WIDEST = {"dim_qk": 256, "dim_v": 256, "window": 128}  # more spills from the registers
NARROW = 2.0**-7  # relative logits are kept in units of q.k: a smaller scale goes into k first
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
TABLES = {"float16": tl.float16, "bfloat16": tl.float16, "float32": tl.float32, "float64": tl.float64}
TRITON = {"float16": "fp16", "bfloat16": "bf16", "float32": "fp32", "float64": "fp64"}
TORCH = {tl.float16: torch.float16, tl.float32: torch.float32, tl.float64: torch.float64}


def unsupported(problem: Problem, device: str, direction: str) -> str | None:
    if device != "cuda" and not INTERPRETED:
        return "needs a GPU, or TRITON_INTERPRET=1 to be checked without"
    if INTERPRETED and problem.dtype == "bfloat16":
        return "bfloat16 is wrong in Triton's interpreter"
    if not INTERPRETED and problem.dtype == "float64":
        return "float64 only in Triton's interpreter"
    for name, most in WIDEST.items():
        if getattr(problem, name) > most:
            return f"{name} {most} at most, not {getattr(problem, name)}"
    return None


def tile(side: int) -> tuple[int, int]:
    """Rows and columns of the queries of a program: powers of two, whole rows of a block."""
    columns = max(4, triton.next_power_of_2(side))
    return max(FEWEST // columns, min(triton.next_power_of_2(side), QUERIES // columns), 1), columns


def tiles(side: int) -> int:
    """Of a block."""
    rows, columns = tile(side)
    return -(-side // rows) * -(-side // columns)


def backward_chunk(problem: Problem) -> int:
    """Slots a step."""
    channels = _power(problem.dim_qk) + _power(problem.dim_v)
    return next((chunk for most, chunk in BACKWARD_CHUNKS.items() if channels <= most), FEWEST)


def slots(problem: Problem) -> int:
    """Padding of tiles and of the last slots of a window included."""
    rows, columns = tile(problem.side)
    height, width = (_inside(problem, size) for size in (problem.height, problem.width))
    visited = sum(-(-y * x // FEWEST) * FEWEST for y in height for x in width)
    return problem.batch * problem.heads * tiles(problem.side) * rows * columns * visited


def _inside(problem: Problem, size: int) -> list[int]:
    """Along an axis of the map: positions of every window that lie inside."""
    starts = range(0, size, problem.block)
    return [min(size, at + problem.block + problem.halo) - max(0, at - problem.halo) for at in starts]


def kernels(problem: Problem) -> list[Build]:
    """Both kernels for channels that lie side by side and an interior block."""
    constants = _constants(problem, False)
    forward = constants | {"CHUNK": FORWARD_CHUNK}
    backward = constants | _for_backward(problem)
    return [_build("forward", halo_fwd, problem, forward), _build("backward", halo_bwd, problem, backward)]


def _build(name: str, function: Any, problem: Problem, constants: dict[str, Any]) -> Build:
    sides = {arg: 1 for arg in function.arg_names if arg.startswith("s_") and arg.endswith("d")}
    constants = constants | sides
    of_arguments = {"p_lse": constants["ACC"], "p_part_r": constants["ACC"], "p_eye": constants["TABLE"]}
    types = {
        arg: "constexpr"
        if arg in constants
        else f"*{of_arguments.get(arg, TRITON[problem.dtype])}"
        if arg.startswith("p_")
        else "i32"
        for arg in function.arg_names
    }
    aligned = tuple(arg for arg in types if arg[:2] in ("p_", "s_") and arg not in sides)
    full, rest = divmod(problem.window**2, constants["CHUNK"])
    return Build(
        name, function, types, constants, aligned, LAUNCH, {"ZERO": False}, (full, -(-rest // FEWEST))
    )


@attention("triton_fused", unsupported=unsupported, slots=slots, kernels=kernels)
def triton_fused(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    scale = problem.logit_scale
    if scale < NARROW:
        k, scale = k * scale, 1.0
    height, width = position or (None, None)
    out: Tensor = _forward(
        q, k, v, height, width, problem.block, problem.halo, problem.stride, problem.border == "zero",
        problem.offset == "compact", scale, problem.position_scale,
    )[0]  # fmt: skip
    return out


@torch.library.custom_op("halobench::triton_fused", mutates_args=())
def _forward(  # noqa: PLR0913  an operator's schema has no problems, only numbers
    q: Tensor, k: Tensor, v: Tensor, rel_height: Tensor | None, rel_width: Tensor | None, block: int,
    halo: int, stride: int, zero: bool, compact: bool, scale: float, position_scale: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    out, lse = _like(q, v.shape[-1]), q.new_empty(q.shape[:4], dtype=_accumulator(q.dtype))
    if out.numel() == 0:
        return out, lse
    problem = _problem(q, k, v, rel_height, block, halo, stride, zero, compact, scale, position_scale)
    constants = _constants(problem, _wide(problem, q, k, v, out)) | {"CHUNK": FORWARD_CHUNK}
    height, width = _tables(rel_height, rel_width, q)
    with _on(q):
        halo_fwd[(_programs(problem),)](
            q, k, v, height, width, _eye(constants["ROWS"], constants["TABLE"], q.device), out, lse,
            problem.heads, problem.height, problem.width, *problem.queries, *problem.grid,
            *q.stride(), *k.stride(), *v.stride(), *out.stride(), **constants, **LAUNCH,
        )  # fmt: skip
    return out, lse


@torch.library.custom_op("halobench::triton_fused_backward", mutates_args=())
def _backward(  # noqa: PLR0913  an operator's schema has no problems, only numbers
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rel_height: Tensor | None, rel_width: Tensor | None,
    out: Tensor, lse: Tensor, block: int, halo: int, stride: int, zero: bool, compact: bool, scale: float,
    position_scale: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    results = dq, dk, dv, d_height, d_width = _gradients(q, k, v, rel_height, rel_width)
    if out.numel() == 0:
        for x in results:
            x.zero_()
        return results
    problem = _problem(q, k, v, rel_height, block, halo, stride, zero, compact, scale, position_scale)
    constants = _constants(problem, _wide(problem, q, k, v, out, grad, dq))
    programs, most = _programs(problem), _most_slots(problem)
    part_k, part_v = (q.new_empty(programs, most, x.shape[-1]) for x in (k, v))
    part_r = q.new_zeros(programs, 2, *problem.table_shape, dtype=lse.dtype)
    height, width = _tables(rel_height, rel_width, q)
    with _on(q):
        halo_bwd[(programs,)](
            q, k, v, height, width, _eye(constants["ROWS"], constants["TABLE"], q.device), out, lse, grad,
            dq, part_k, part_v, part_r,
            problem.heads, problem.height, problem.width, *problem.queries, *problem.grid, most,
            *q.stride(), *k.stride(), *v.stride(), *out.stride(), *grad.stride(), *dq.stride(),
            **constants, **_for_backward(problem), **LAUNCH,
        )  # fmt: skip
        for part, x, factor in ((part_k, dk, scale), (part_v, dv, 1.0)):
            _fold(part, x, problem, most, factor)
    if rel_height is not None:
        summed = (part_r.sum(0) * position_scale).to(q.dtype)
        d_height.copy_(summed[0])
        d_width.copy_(summed[1])
    return results


def _fold(part: Tensor, x: Tensor, problem: Problem, most: int, factor: float) -> None:
    groups = -(-problem.height * problem.width // KEYS)
    fold[(problem.batch * problem.heads * groups,)](
        part, x, problem.heads, problem.height, problem.width, *problem.grid, most, *x.stride(),
        FACTOR=factor, BLOCK=problem.block, HALO=problem.halo, TILES=tiles(problem.side), DIM=x.shape[-1],
        D=_power(x.shape[-1]), KEYS=KEYS, ACC=tl.float64 if x.dtype == torch.float64 else tl.float32,
    )  # fmt: skip


@_forward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
    return _like(q, v.shape[-1]), q.new_empty(q.shape[:4], dtype=_accumulator(q.dtype))


@_backward.register_fake
def _(  # noqa: PLR0913  as the operator
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rel_height: Tensor | None, rel_width: Tensor | None,
    *others: Any,
) -> tuple[Tensor, ...]:  # fmt: skip
    return _gradients(q, k, v, rel_height, rel_width)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs[:5], *output)
    ctx.numbers = inputs[5:]
    ctx.mark_non_differentiable(output[1])


def _differentiate(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    q, k, v, rel_height, rel_width, out, lse = ctx.saved_tensors
    dq, dk, dv, *tables = _backward(grad, q, k, v, rel_height, rel_width, out, lse, *ctx.numbers)
    return (dq, dk, dv, *(tables if rel_height is not None else (None, None)), *[None] * len(ctx.numbers))


_forward.register_autograd(_differentiate, setup_context=_save)


@register_flop_formula(torch.ops.halobench.triton_fused)
def _flop(q: Any, k: Any, v: Any, rel_height: Any, rel_width: Any, *numbers: Any, **_: Any) -> int:
    """What the problem asks for (`Problem.flop`), of the shapes that torch's counter hands over."""
    return _counted(q, k, v, rel_height, numbers).flop()


@register_flop_formula(torch.ops.halobench.triton_fused_backward)
def _flop_backward(grad: Any, q: Any, k: Any, v: Any, rel_height: Any, *others: Any, **_: Any) -> int:
    problem = _counted(q, k, v, rel_height, others[3:])
    return problem.flop("forward_backward") - problem.flop()


def _counted(q: Any, k: Any, v: Any, rel_height: Any, numbers: tuple[Any, ...]) -> Problem:
    q, k, v = (torch.empty(shape, device="meta") for shape in (q, k, v))
    table = None if rel_height is None else torch.empty(rel_height, device="meta")
    return _problem(q, k, v, table, *numbers)


def _problem(  # noqa: PLR0913  as the operator
    q: Tensor, k: Tensor, v: Tensor, rel_height: Tensor | None, block: int, halo: int, stride: int,
    zero: bool, compact: bool, scale: float, position_scale: float,
) -> Problem:  # fmt: skip
    batch, heads, height, width, dim_qk = k.shape
    position = "none" if rel_height is None else "sum" if rel_height.shape[-1] == dim_qk else "split"
    return Problem(
        batch=batch, heads=heads, height=height, width=width, dim_qk=dim_qk, dim_v=v.shape[-1], block=block,
        halo=halo, stride=stride, border="zero" if zero else "mask", position=position,
        offset="compact" if compact else "exact", scale=scale, position_scale=position_scale,
        dtype=str(q.dtype).removeprefix("torch."),
    )  # fmt: skip


def _constants(problem: Problem, wide: bool) -> dict[str, Any]:
    rows, columns = tile(problem.side)
    return {
        "C": problem.logit_scale * log2(e),
        "REL": problem.position_scale / problem.logit_scale,
        "BLOCK": problem.block,
        "HALO": problem.halo,
        "STRIDE": problem.stride,
        "STEP": table_step(problem),
        "ZERO": problem.border == "zero" and problem.halo > 0,
        "POSITION": problem.position != "none",
        "FIRST_X": problem.dim_rel if problem.position == "split" else 0,
        "DIM_REL": problem.dim_rel,
        "DIM": problem.dim_qk,
        "DIM_V": problem.dim_v,
        "D": _power(problem.dim_qk),
        "DV": _power(problem.dim_v),
        "ROWS": _power(problem.window),
        "TY": rows,
        "TX": columns,
        "ACC": tl.float64 if problem.dtype == "float64" else tl.float32,
        "TABLE": TABLES[problem.dtype],
        "PRECISION": _precision(problem.dtype),
        "WIDE": wide,
    }


def _for_backward(problem: Problem) -> dict[str, Any]:
    """Constants of that kernel alone."""
    live = problem.window + table_step(problem) * (problem.side - 1)
    return {
        "SCALE": problem.logit_scale,
        "POSITION_SCALE": problem.position_scale,
        "LIVE": _power(live),
        "CHUNK": backward_chunk(problem),
    }


def _precision(dtype: str) -> str:
    """Of products in float32: three passes of TF32, or one where torch allows that much error."""
    if dtype != "float32" or INTERPRETED:
        return "ieee"
    return "tf32" if torch.backends.cuda.matmul.allow_tf32 else "tf32x3"


def _power(n: int) -> int:
    return max(FEWEST, int(triton.next_power_of_2(n)))


def _programs(problem: Problem) -> int:
    rows, columns = problem.grid
    return problem.batch * problem.heads * rows * columns * tiles(problem.side)


def _most_slots(problem: Problem) -> int:
    """Inside the map, of any window."""
    return min(problem.window, problem.height) * min(problem.window, problem.width)


def _wide(problem: Problem, *tensors: Tensor) -> bool:
    """Must offsets inside a window be 64 bits wide?"""
    reaches = [
        sum((min(problem.window, x.shape[axis]) - 1) * x.stride(axis) for axis in (2, 3))
        + (x.shape[4] - 1) * x.stride(4)
        for x in tensors
    ]
    return max(reaches) >= 2**31


def _like(x: Tensor, dim: int) -> Tensor:
    """Empty, with another number of channels, in the same order of axes in memory, without gaps."""
    strides = x.stride()
    order = sorted(range(x.dim()), key=lambda axis: (-strides[axis], axis))
    shape = [*x.shape[:-1], dim]
    empty = x.new_empty([shape[axis] for axis in order])
    return empty.permute([order.index(axis) for axis in range(x.dim())])


def _gradients(
    q: Tensor, k: Tensor, v: Tensor, *tables: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Empty, of q, k, v and both tables; nothing for tables that there are not."""
    height, width = (q.new_empty(0) if table is None else torch.empty_like(table) for table in tables)
    return _like(q, q.shape[-1]), _like(k, k.shape[-1]), _like(v, v.shape[-1]), height, width


def _tables(rel_height: Tensor | None, rel_width: Tensor | None, q: Tensor) -> tuple[Tensor, Tensor]:
    """Side by side in memory; they are small."""
    if rel_height is None or rel_width is None:
        return q, q  # not read
    return rel_height.contiguous(), rel_width.contiguous()


def _accumulator(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


@cache
def _eye(size: int, dtype: tl.dtype, device: torch.device) -> Tensor:
    return torch.eye(size, dtype=TORCH[dtype], device=device)


def _on(x: Tensor) -> Any:
    """Triton launches on the current device."""
    return torch.cuda.device(x.device) if x.is_cuda else nullcontext()
