"""Halo attention in one kernel forward and two backward: nothing gathered, no logits in memory.

A program holds a tile of the queries of a block and walks over the slots of its window that lie inside
the map, and sums weights and weighted values. Each slot costs three products on the tensor cores: with
the keys, and two with rows of the identity, which put the relative logits of the window's rows and columns
in place.
Slots outside a map with border `zero` are never read: they weigh in the sum by the product of a factor of
their row and one of their column. Forward reads q once and k and v as often as windows overlap, and saves
the output and the log-sum-exp. Backward forms the weights again, writes for each window what it adds to
the gradients of its keys and values, and a second kernel adds these up in a fixed order: the same bits
every time.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cache
from math import e, gcd, log2
from typing import Any

import torch
import triton  # type: ignore[import-untyped]
import triton.language as tl  # type: ignore[import-untyped]
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from halobench import ptxas
from halobench.attention import Build, Position, attention
from halobench.clock import CudaClock
from halobench.problem import Problem
from halobench.tuning import chosen

from ._operators import as_operations, differentiable, flop, flop_backward, problem_of, transformed
from ._operators import fvcore_handle as fvcore_handle
from ._triton_backward import fold, halo_bwd
from ._triton_forward import halo_fwd
from ._triton_plan import (
    FEWEST,
    INTERPRETER,
    MOST_EACH,
    Config,
    configs,
    live,
    most_slots,
    power,
    programs,
    slots,
    tile,
    tiles,
)
from ._windows import table_step

KEYS = 64  # of a program that sums their gradients
WIDEST = {"dim_qk": 256, "dim_v": 256, "window": 64}  # more spills from the registers
NARROW = 2.0**-7  # relative logits are kept in units of q.k: a smaller scale goes into k first
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
TABLES = {"bfloat16": "float16"}  # of relative logits: more digits; for others the type of q
TRITON = {"float16": "fp16", "bfloat16": "bf16", "float32": "fp32", "float64": "fp64"}


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


def kernels(problem: Problem, target: str) -> list[Build]:
    """Both kernels as they are launched for channels that lie side by side, and an interior block."""
    forward, backward = (configs(kernel, problem, target)[0] for kernel in ("forward", "backward"))
    return [forward_build(problem, target, forward), backward_build(problem, target, backward)]


def forward_build(problem: Problem, target: str, config: Config) -> Build:
    full, rest = divmod(problem.window**2 // FEWEST * FEWEST, config.chunk)
    trips = (1, full, rest // FEWEST, 0)  # tries, steps, and the search for the largest logit
    return _build("forward", halo_fwd, problem, target, config, _for_forward(problem), trips)


def backward_build(problem: Problem, target: str, config: Config) -> Build:
    full, rest = divmod(problem.window**2, config.chunk)
    trips = (full, -(-rest // FEWEST))
    return _build("backward", halo_bwd, problem, target, config, _for_backward(problem, config), trips)


def _build(  # noqa: PLR0913  what differs between kernels
    name: str, function: Any, problem: Problem, target: str, config: Config, own: dict[str, Any],
    trips: tuple[int, ...],
) -> Build:  # fmt: skip
    strides = _in_a_network(problem)
    unit = _unit(strides.values())
    sides = {f"s_{x}d": 1 for x in "qkvogd"}
    sides |= {name: 1 for name, stride in strides.items() if stride == unit}
    sides = {name: value for name, value in sides.items() if name in function.arg_names}
    constants = _constants(problem, config, target, False, unit) | own | sides
    heads = config.each
    of_arguments = {"p_lse": constants["ACC"], "p_part_r": constants["ACC"], "p_eye": constants["TABLE"]}
    types = {
        arg: "constexpr"
        if arg in constants
        else f"*{of_arguments.get(arg, TRITON[problem.dtype])}"
        if arg.startswith("p_")
        else "i32"
        for arg in function.arg_names
    }
    aligned = tuple(
        arg
        for arg in types
        if arg not in sides and (arg[:2] == "p_" or strides.get(arg, 1) // unit % 16 == 0)
    )
    trips = (heads, *trips) if heads > 1 else trips
    options, inside = config.options(target), {"ZERO": False}
    return Build(name, function, types, constants, aligned, options, inside, trips, heads)


@attention("triton_fused", unsupported=unsupported, slots=slots, kernels=kernels)
def triton_fused(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    if transformed():
        return as_operations(q, k, v, position, problem)
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
    problem = problem_of(q, k, v, rel_height, block, halo, stride, zero, compact, scale, position_scale)
    height, width = _tables(rel_height, rel_width, q)
    eye = _eye(power(problem.window), getattr(torch, _table(problem)), q.device)
    wide, own, target = _wide(problem, q, k, v, out), _for_forward(problem), _target(q)
    unit, strides = _counted(q, k, v, out)

    def launch(config: Config) -> None:
        halo_fwd[(programs(problem, config),)](
            q, k, v, height, width, eye, out, lse,
            problem.heads, problem.height, problem.width, *problem.queries, *problem.grid,
            *strides, **_constants(problem, config, target, wide, unit), **own, **config.options(target),
        )  # fmt: skip

    with _on(q):
        launch(_chosen("forward", problem, target, wide, (q, k, v), launch))
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
    problem = problem_of(q, k, v, rel_height, block, halo, stride, zero, compact, scale, position_scale)
    most = most_slots(problem)
    height, width = _tables(rel_height, rel_width, q)
    wide, target = _wide(problem, q, k, v, out, grad, dq), _target(q)
    unit, strides = _counted(q, k, v, out, grad, dq)
    eye = _eye(power(problem.window), getattr(torch, _table(problem)), q.device)

    def launch(config: Config) -> tuple[Tensor, Tensor, Tensor]:
        count = programs(problem, config)
        part_k, part_v = (q.new_empty(count * config.each, most, x.shape[-1]) for x in (k, v))
        small = _eye(live(problem, config), q.dtype, q.device)
        part_r = q.new_zeros(count * config.each, 2, *problem.table_shape, dtype=lse.dtype)
        halo_bwd[(count,)](
            q, k, v, height, width, eye, small, out, lse, grad, dq, part_k, part_v, part_r,
            problem.heads, problem.height, problem.width, *problem.queries, *problem.grid, most,
            *strides, **_constants(problem, config, target, wide, unit), **_for_backward(problem, config),
            **config.options(target),
        )  # fmt: skip
        return part_k, part_v, part_r

    with _on(q):
        config = _chosen("backward", problem, target, wide, (q, k, v, grad), launch)
        part_k, part_v, part_r = launch(config)
        for part, x, factor in ((part_k, dk, scale), (part_v, dv, 1.0)):
            _fold(part, x, problem, config, factor)
    if rel_height is not None:
        summed = (part_r.sum(0) * position_scale).to(q.dtype)
        d_height.copy_(summed[0])
        d_width.copy_(summed[1])
    return results


def _fold(part: Tensor, x: Tensor, problem: Problem, config: Config, factor: float) -> None:
    groups = -(-problem.height * problem.width // KEYS)
    unit, strides = _counted(x)
    fold[(problem.batch * problem.heads * groups,)](
        part, x, problem.heads, problem.height, problem.width, *problem.grid, part.shape[1], *strides,
        FACTOR=factor, BLOCK=problem.block, HALO=problem.halo, TILES=tiles(problem.side, config.queries),
        DIM=x.shape[-1], D=power(x.shape[-1]), KEYS=KEYS,
        ACC=tl.float64 if x.dtype == torch.float64 else tl.float32, UNIT=unit,
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
    if torch.is_grad_enabled():  # this pass will be differentiated
        found = differentiable(grad, (q, k, v, rel_height, rel_width), ctx.numbers)
        return (*found, *[None] * len(ctx.numbers))
    dq, dk, dv, *tables = _backward(grad, q, k, v, rel_height, rel_width, out, lse, *ctx.numbers)
    return (dq, dk, dv, *(tables if rel_height is not None else (None, None)), *[None] * len(ctx.numbers))


_forward.register_autograd(_differentiate, setup_context=_save)


register_flop_formula(torch.ops.halobench.triton_fused)(flop)
register_flop_formula(torch.ops.halobench.triton_fused_backward)(flop_backward)


def _constants(problem: Problem, config: Config, target: str, wide: bool, unit: int) -> dict[str, Any]:
    """Of both kernels."""
    rows, columns = tile(problem.side, config.queries)
    per_logit = problem.logit_scale * log2(e)
    return {
        "C": per_logit,
        "PRE": per_logit if problem.dtype in ("bfloat16", "float16") else 1.0,
        "REL": problem.position_scale / problem.logit_scale,
        "BLOCK": problem.block,
        "HALO": problem.halo,
        "STRIDE": problem.stride,
        "STEP": table_step(problem),
        "ZERO": problem.border == "zero" and problem.reaches_outside,
        "POSITION": problem.position != "none",
        "FIRST_X": problem.dim_rel if problem.position == "split" else 0,
        "DIM_REL": problem.dim_rel,
        "DIM": problem.dim_qk,
        "DIM_V": problem.dim_v,
        "D": power(problem.dim_qk),
        "DV": power(problem.dim_v),
        "ROWS": power(problem.window),
        "TY": rows,
        "TX": columns,
        "CHUNK": config.chunk,
        "EACH": config.each,
        "ACC": tl.float64 if problem.dtype == "float64" else tl.float32,
        "TABLE": getattr(tl, _table(problem)),
        "PRECISION": _precision(problem.dtype, target),
        "UNIT": unit,
        "WIDE": wide,
    }


def _in_a_network(problem: Problem) -> dict[str, int]:
    """Strides of batch, head, row and column as networks give them: the channels of a position side by side.

    Keys and values are parts of one map, those of a head side by side, as in timm's; gradients are like what
    they are of.
    """
    heads, both = problem.heads, problem.dim_qk + problem.dim_v
    dims = (
        dict.fromkeys("kv", both) | dict.fromkeys("qd", problem.dim_qk) | dict.fromkeys("og", problem.dim_v)
    )
    sizes = dict.fromkeys("kv", (problem.height, problem.width)) | dict.fromkeys("qogd", problem.queries)
    strides: dict[str, int] = {}
    for x, dim in dims.items():
        height, width = sizes[x]
        column = heads * dim
        strides |= {f"s_{x}x": column, f"s_{x}y": width * column, f"s_{x}n": dim}
        strides[f"s_{x}b"] = height * width * column
    return strides


def _for_forward(problem: Problem) -> dict[str, Any]:
    """Constants of that kernel alone."""
    half = problem.dtype == "float16"  # whose weights end before 2**16, and lose digits below 2**-14
    # Of the others what is summed up ends at 2**128, and values want their share of that.
    above = 8 / (problem.logit_scale * log2(e)) if half else 0.0
    return {"ABOVE": above, "MUCH": 2.0**15 if half else 2.0**40}


def _for_backward(problem: Problem, config: Config) -> dict[str, Any]:
    """Constants of that kernel alone."""
    scales = {"SCALE": problem.logit_scale, "POSITION_SCALE": problem.position_scale}
    return scales | {"LIVE": live(problem, config)}


def _chosen(  # noqa: PLR0913  what decides which configuration is fastest
    kernel: str, problem: Problem, target: str, wide: bool, tensors: tuple[Tensor, ...],
    launch: Callable[[Config], object],
) -> Config:  # fmt: skip
    every = configs(kernel, problem, target)
    if INTERPRETED:
        return every[0]

    def time(config: Config) -> float:
        (sample,) = _cold_clock().series(lambda: launch(config), 1)
        return sample.device_s

    adjacent = all(x.stride(4) == 1 for x in tensors)
    key = _key(kernel, problem, torch.cuda.get_device_name())
    key += (_precision(problem.dtype, target), wide, adjacent)
    trials = not torch.cuda.is_current_stream_capturing()
    return chosen(f"triton_fused {kernel}", key, every, time, trials=trials)


@cache
def _cold_clock() -> CudaClock:
    return CudaClock(cold=True)


@cache
def _key(kernel: str, problem: Problem, device: str) -> tuple[str | int | float, ...]:
    """Of the map's size only how many programs it makes."""
    code = {"forward": halo_fwd, "backward": halo_bwd}[kernel].cache_key
    size = programs(problem, Config(FEWEST)).bit_length()
    assembler = "" if torch.version.hip else ptxas.chosen()
    return (
        device, triton.__version__, assembler, code, problem.dtype, problem.block, problem.halo,
        problem.stride, problem.border, problem.position, problem.offset, problem.dim_qk, problem.dim_v,
        gcd(problem.heads, MOST_EACH), size,
    )  # fmt: skip


def _target(x: Tensor) -> str:
    """As `halobench inspect` names it."""
    if not x.is_cuda:
        return INTERPRETER
    if torch.version.hip:
        return str(torch.cuda.get_device_properties(x.device).gcnArchName).partition(":")[0]
    ptxas.chosen()  # before the first launch
    return "sm_{}{}".format(*torch.cuda.get_device_capability(x.device))


def _table(problem: Problem) -> str:
    return TABLES.get(problem.dtype, problem.dtype)


def _precision(dtype: str, target: str) -> str:
    """Of products in float32: three passes of TF32, or one where torch allows that much error."""
    if dtype != "float32" or not target.startswith("sm_"):  # AMD's have no three passes
        return "ieee"
    # However torch was told: to read `allow_tf32` after this was set is an error.
    return "tf32" if torch.backends.cuda.matmul.fp32_precision == "tf32" else "tf32x3"


def _wide(problem: Problem, *tensors: Tensor) -> bool:
    """Must offsets inside a window be 64 bits wide?"""
    reaches = [
        sum((min(problem.window, x.shape[axis]) - 1) * x.stride(axis) for axis in (2, 3))
        + (x.shape[4] - 1) * x.stride(4)
        for x in tensors
    ]
    return max(reaches) >= 2**31


def _counted(*tensors: Tensor) -> tuple[int, list[int]]:
    """The strides of all axes of these tensors, and the unit that those of all but channels are counted in.

    The compiler knows of a number only whether it is a multiple of 16, and loads element by element where a
    stride is not: of 8 channels, say. In a unit that divides all strides it learns what they share.
    """
    strides = [_unless_single(x) for x in tensors]
    unit = _unit(number for numbers in strides for number in numbers[:-1])
    return unit, [x for *most, channel in strides for x in (*(number // unit for number in most), channel)]


def _unless_single(x: Tensor) -> list[int]:
    """Strides; where there is one position only, any number will do, and 0 divides best."""
    return [stride if size > 1 else 0 for size, stride in zip(x.shape[:-1], x.stride(), strict=False)] + [
        x.stride(-1)
    ]


def _unit(strides: Iterable[int]) -> int:
    strides = list(strides)
    return 1 if gcd(16, *strides) == 16 else gcd(8, *strides)


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


def _eye(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Made once, but for a graph that is being captured: what is made there is there at a replay only."""
    if device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        return torch.eye(size, dtype=dtype, device=device)
    return _eye_made_once(size, dtype, device)


@cache
def _eye_made_once(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """In a thread of its own: what outlives the call may not lie in the pool of a graph of torch.compile."""
    if device.type != "cuda":
        return torch.eye(size, dtype=dtype, device=device)
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(_eye_on_a_gpu, size, dtype, device).result()


def _eye_on_a_gpu(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    eye = torch.eye(size, dtype=dtype, device=device)
    torch.cuda.current_stream(device).synchronize()  # other streams will read it
    return eye


def _on(x: Tensor) -> Any:
    """Triton launches on the current device."""
    return torch.cuda.device(x.device) if x.is_cuda else nullcontext()
