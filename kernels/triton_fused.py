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
from collections.abc import Sequence
from functools import cache, lru_cache
from math import e, gcd, log2, prod
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from halobench.attention import Position, Problem, attention
from halobench.attention.build import Build
from halobench.device import ptxas

from ._operators import (
    NUMBERS,
    Numbers,
    as_operations,
    differentiable,
    flop,
    flop_backward,
    numbers,
    observed,
    problem_of_shapes,
    transformed,
)
from ._operators import fvcore_handle as fvcore_handle
from ._triton.backward import fold, halo_bwd
from ._triton.configs import (
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
from ._triton.forward import halo_fwd
from ._triton.launch import Choice, Launch, Place, counted, empty, eye, like, on, place, unit, wide
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
    shared = unit(strides.values())
    sides = {f"s_{x}d": 1 for x in "qkvogd"}
    sides |= {name: 1 for name, stride in strides.items() if stride == shared}
    sides = {name: value for name, value in sides.items() if name in function.arg_names}
    constants = _constants(problem, config, target, False, shared, False) | own | sides
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
        if arg not in sides and (arg[:2] == "p_" or strides.get(arg, shared) // shared % 16 == 0)
    )
    trips = (heads, *trips) if heads > 1 else trips
    options, inside = config.options(target), {"ZERO": False}
    return Build(name, function, types, constants, aligned, options, inside, trips, heads)


@attention("triton_fused", unsupported=unsupported, slots=slots, kernels=kernels, compile_s=4.0)
def triton_fused(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    if transformed():
        return as_operations(q, k, v, position, problem)
    block, halo, stride, zero, compact, scale, position_scale = numbers(problem)
    if scale < NARROW:
        k, scale = k * scale, 1.0
    height, width = position or (None, None)
    told = (block, halo, stride, zero, compact, scale, position_scale)
    if observed(q, k, v):
        out: Tensor = _forward(q, k, v, height, width, *told)[0]
        return out
    if torch.is_grad_enabled():
        out = _Attend.apply(q, k, v, height, width, told)
        return out
    return _attended(q, k, v, height, width, told)[0]


class _Attend(torch.autograd.Function):
    """The operator below, for eager calls: torch's way to an operator takes longer than a small kernel."""

    @staticmethod
    def forward(  # noqa: PLR0913  as the operator
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, height: Tensor | None, width: Tensor | None, told: Numbers
    ) -> Tensor:
        out, lse = _attended(q, k, v, height, width, told)
        ctx.save_for_backward(q, k, v, height, width, out, lse)
        ctx.numbers = told
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return *_gradients_of(ctx, grad), None


@torch.library.custom_op("halobench::triton_fused", mutates_args=())
def _forward(  # noqa: PLR0913  an operator's schema has no problems, only numbers
    q: Tensor, k: Tensor, v: Tensor, rel_height: Tensor | None, rel_width: Tensor | None, block: int,
    halo: int, stride: int, zero: bool, compact: bool, scale: float, position_scale: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    told = (block, halo, stride, zero, compact, scale, position_scale)
    return _attended(q, k, v, rel_height, rel_width, told)


@torch.library.custom_op("halobench::triton_fused_backward", mutates_args=())
def _backward(  # noqa: PLR0913  an operator's schema has no problems, only numbers
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rel_height: Tensor | None, rel_width: Tensor | None,
    out: Tensor, lse: Tensor, block: int, halo: int, stride: int, zero: bool, compact: bool, scale: float,
    position_scale: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    told = (block, halo, stride, zero, compact, scale, position_scale)
    dq, dk, dv, height, width = _differentiated(grad, q, k, v, rel_height, rel_width, out, lse, told)
    return dq, dk, dv, height, width.clone()  # outputs of an operator may not lie in the same memory


def _attended(  # noqa: PLR0913  as the operator
    q: Tensor, k: Tensor, v: Tensor, rel_height: Tensor | None, rel_width: Tensor | None, told: Numbers
) -> tuple[Tensor, Tensor]:
    """The output, and what backward needs of the sums of weights."""
    device, table = q.device, 0 if rel_height is None else rel_height.shape[-1]
    plan = _forward_plan(place(q), place(k), place(v), table, q.dtype, device, _one_pass(q.dtype), told)
    out, lse = empty(plan.out, q.dtype, device), torch.empty(plan.lse, dtype=plan.sums, device=device)
    if not plan.choice:
        return out, lse
    height, width = _tables(rel_height, rel_width, q)

    def launch(run: Launch) -> None:
        run(q, k, v, height, width, eye(plan.rows, plan.table, device), out, lse)

    with on(device):
        launch(plan.choice.taken(launch))
    return out, lse


class _Forward(NamedTuple):
    """What a forward call needs of shapes, strides and numbers."""

    out: Place
    lse: tuple[int, ...]
    sums: torch.dtype  # what is summed in
    rows: int  # of the identity
    table: torch.dtype  # of relative logits
    choice: Choice | None  # nothing to launch: there are no queries


@lru_cache(maxsize=4096)
def _forward_plan(  # noqa: PLR0913  all that decides
    q: Place, k: Place, v: Place, table: int, dtype: torch.dtype, device: torch.device, one_pass: bool,
    told: Numbers,
) -> _Forward:  # fmt: skip
    problem = problem_of_shapes(k.shape, v.shape[-1], table, _name(dtype), told)
    out = like(q, v.shape[-1])
    of_table = getattr(torch, _table(problem))
    made = _Forward(out, q.shape[:4], _accumulator(dtype), power(problem.window), of_table, None)
    if not prod(out.shape):
        return made
    target = _target(device)
    far, (unit, strides) = wide(problem.window, q, k, v, out), counted(q, k, v, out)
    sizes = problem.heads, problem.height, problem.width, *problem.queries, *problem.grid

    def make(config: Config) -> Launch:
        constants = _constants(problem, config, target, far, unit, one_pass) | _for_forward(problem)
        count = programs(problem, config)
        return Launch(halo_fwd, count, (*sizes, *strides), constants, config.options(target))

    key = (*_key("forward", problem, target, device), one_pass, far, unit, _adjacent(q, k, v))
    return made._replace(
        choice=Choice("triton_fused forward", key, configs("forward", problem, target), make)
    )


def _differentiated(  # noqa: PLR0913  as the operator
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rel_height: Tensor | None, rel_width: Tensor | None,
    out: Tensor, lse: Tensor, told: Numbers,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of q, k, v and both tables; nothing for tables that there are not."""
    device, table = q.device, 0 if rel_height is None else rel_height.shape[-1]
    places = place(q), place(k), place(v), place(out), place(grad)
    plan = _backward_plan(places, table, q.dtype, device, _one_pass(q.dtype), told)
    dq, dk, dv = (empty(x, q.dtype, device) for x in plan.maps)
    if not plan.choice:
        d_height, d_width = q.new_zeros((2, *rel_height.shape) if rel_height is not None else (2, 0))
        return dq, dk.zero_(), dv.zero_(), d_height, d_width
    height, width = _tables(rel_height, rel_width, q)

    def launch(run: _Passes) -> Tensor:
        part_k, part_v = (q.new_empty(shape) for shape in run.parts)
        part_r = q.new_zeros(run.part_r, dtype=lse.dtype)
        eyes = eye(plan.rows, plan.table, device), eye(run.live, q.dtype, device)
        run.main(q, k, v, height, width, *eyes, out, lse, grad, dq, part_k, part_v, part_r)
        run.fold_k(part_k, dk)
        run.fold_v(part_v, dv)
        return part_r

    with on(device):
        part_r = launch(plan.choice.taken(launch))
    if rel_height is None:
        return dq, dk, dv, q.new_empty(0), q.new_empty(0)
    d_height, d_width = part_r.sum(0).to(q.dtype)
    return dq, dk, dv, d_height, d_width


class _Passes(NamedTuple):
    """A backward pass in one configuration: its launches, and the memory that they share."""

    main: Launch
    fold_k: Launch
    fold_v: Launch
    parts: tuple[tuple[int, ...], ...]  # what each window adds to the gradients of its keys and values
    part_r: tuple[int, ...]  # and each program to those of both tables
    live: int  # rows of the identity


class _BackwardPlan(NamedTuple):
    """What a backward call needs of shapes, strides and numbers."""

    maps: tuple[Place, Place, Place]  # dq, dk, dv
    rows: int
    table: torch.dtype
    choice: Choice | None


@lru_cache(maxsize=4096)
def _backward_plan(  # noqa: PLR0913  all that decides
    places: tuple[Place, ...], table: int, dtype: torch.dtype, device: torch.device, one_pass: bool,
    told: Numbers,
) -> _BackwardPlan:  # fmt: skip
    q, k, v, out, grad = places
    problem = problem_of_shapes(k.shape, v.shape[-1], table, _name(dtype), told)
    dq, dk, dv = maps = like(q, q.shape[-1]), like(k, k.shape[-1]), like(v, v.shape[-1])
    made = _BackwardPlan(maps, power(problem.window), getattr(torch, _table(problem)), None)
    if not prod(out.shape):
        return made
    target, most = _target(device), most_slots(problem)
    far, (unit, strides) = wide(problem.window, *places, dq), counted(*places, dq)
    sizes = problem.heads, problem.height, problem.width, *problem.queries, *problem.grid, most

    def make(config: Config) -> _Passes:
        count = programs(problem, config)
        constants = _constants(problem, config, target, far, unit, one_pass) | _for_backward(problem, config)
        return _Passes(
            Launch(halo_bwd, count, (*sizes, *strides), constants, config.options(target)),
            _fold(dk, problem, config, problem.logit_scale),
            _fold(dv, problem, config, 1.0),
            tuple((count * config.each, most, x.shape[-1]) for x in (k, v)),
            (count * config.each, 2, *problem.table_shape),
            live(problem, config),
        )

    key = (*_key("backward", problem, target, device), one_pass, far, unit, _adjacent(q, k, v, grad))
    return made._replace(
        choice=Choice("triton_fused backward", key, configs("backward", problem, target), make)
    )


def _fold(x: Place, problem: Problem, config: Config, factor: float) -> Launch:
    """Sums up the gradients of keys or values."""
    groups = -(-problem.height * problem.width // KEYS)
    unit, strides = counted(x)
    sizes = problem.heads, problem.height, problem.width, *problem.grid, most_slots(problem)
    constants = {
        "FACTOR": factor,
        "BLOCK": problem.block,
        "HALO": problem.halo,
        "TILES": tiles(problem.side, config.queries),
        "DIM": x.shape[-1],
        "D": power(x.shape[-1]),
        "KEYS": KEYS,
        "ACC": tl.float64 if problem.dtype == "float64" else tl.float32,
        "UNIT": unit,
    }
    return Launch(fold, problem.batch * problem.heads * groups, (*sizes, *strides), constants, {})


@_forward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
    return _empty_like(q, v.shape[-1]), q.new_empty(q.shape[:4], dtype=_accumulator(q.dtype))


@_backward.register_fake
def _(  # noqa: PLR0913  as the operator
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rel_height: Tensor | None, rel_width: Tensor | None,
    *others: Any,
) -> tuple[Tensor, ...]:  # fmt: skip
    tables = (
        q.new_empty(0) if table is None else torch.empty_like(table, memory_format=torch.contiguous_format)
        for table in (rel_height, rel_width)
    )
    return *(_empty_like(x, x.shape[-1]) for x in (q, k, v)), *tables


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs[:5], *output)
    ctx.numbers = inputs[5:]
    ctx.mark_non_differentiable(output[1])


def _differentiate(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    return *_gradients_of(ctx, grad), *[None] * NUMBERS


def _gradients_of(ctx: Any, grad: Tensor) -> Sequence[Tensor | None]:
    """Return the gradients of the five tensors of a call."""
    q, k, v, rel_height, rel_width, out, lse = ctx.saved_tensors
    if torch.is_grad_enabled():  # this pass will be differentiated
        return differentiable(grad, (q, k, v, rel_height, rel_width), ctx.numbers)
    if observed(q, grad):
        found = _backward(grad, q, k, v, rel_height, rel_width, out, lse, *ctx.numbers)
    else:
        found = _differentiated(grad, q, k, v, rel_height, rel_width, out, lse, ctx.numbers)
    return found if rel_height is not None else (*found[:3], None, None)


_forward.register_autograd(_differentiate, setup_context=_save)


register_flop_formula(torch.ops.halobench.triton_fused)(flop)
register_flop_formula(torch.ops.halobench.triton_fused_backward)(flop_backward)


def _constants(  # noqa: PLR0913  all that a kernel is compiled for
    problem: Problem, config: Config, target: str, far: bool, unit: int, one_pass: bool
) -> dict[str, Any]:
    """Return the constants of both kernels."""
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
        "PRECISION": _precision(problem.dtype, target, one_pass),
        "UNIT": unit,
        "WIDE": far,
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


@cache
def _key(kernel: str, problem: Problem, target: str, device: torch.device) -> tuple[str | int | float, ...]:
    """Return the key of a tuned configuration, which holds of the map's size only the number of programs."""
    if target == INTERPRETER:
        return (INTERPRETER,)
    code = {"forward": halo_fwd, "backward": halo_bwd}[kernel].cache_key
    size = programs(problem, Config(FEWEST)).bit_length()
    assembler = "" if torch.version.hip else ptxas.chosen()
    return (
        torch.cuda.get_device_name(device), triton.__version__, assembler, code, problem.dtype, problem.block,
        problem.halo, problem.stride, problem.border, problem.position, problem.offset, problem.dim_qk,
        problem.dim_v, gcd(problem.heads, MOST_EACH), size,
    )  # fmt: skip


def _target(device: torch.device) -> str:
    """Name the target as `halobench inspect` does."""
    if device.type != "cuda":
        return INTERPRETER
    if torch.version.hip:
        return str(torch.cuda.get_device_properties(device).gcnArchName).partition(":")[0]
    ptxas.chosen()  # before the first launch
    return "sm_{}{}".format(*torch.cuda.get_device_capability(device))


def _table(problem: Problem) -> str:
    return TABLES.get(problem.dtype, problem.dtype)


def _one_pass(dtype: torch.dtype) -> bool:
    """Whether torch allows float32 products the error of TF32.

    However torch was told: to read `allow_tf32` after this was set is an error.
    """
    return dtype == torch.float32 and torch.backends.cuda.matmul.fp32_precision == "tf32"


def _precision(dtype: str, target: str, one_pass: bool) -> str:
    """Return the precision of float32 products: three passes of TF32, or one where that error is allowed."""
    if dtype != "float32" or not target.startswith("sm_"):  # AMD's have no three passes
        return "ieee"
    return "tf32" if one_pass else "tf32x3"


def _adjacent(*places: Place) -> bool:
    """Do the channels of a position lie side by side?"""
    return all(x.strides[4] == 1 for x in places)


def _empty_like(x: Tensor, dim: int) -> Tensor:
    return empty(like(place(x), dim), x.dtype, x.device)


def _tables(rel_height: Tensor | None, rel_width: Tensor | None, q: Tensor) -> tuple[Tensor, Tensor]:
    """Side by side in memory; they are small."""
    if rel_height is None or rel_width is None:
        return q, q  # not read
    return rel_height.contiguous(), rel_width.contiguous()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _accumulator(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32
