"""What our operators of torch share: they take numbers, no problem, and are counted and differentiated alike.

All take queries, keys, values, both tables or none, and what `numbers` gives. An operator is opaque to the
compiler, to export and to tracing, which see its shapes only.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from halobench.attention import Position, Problem
from halobench.attention.implementation import IMPLEMENTATIONS

Numbers = tuple[int, int, int, bool, bool, float, float]
NUMBERS = 7
PLAIN = (Tensor, torch.nn.Parameter)


def numbers(problem: Problem) -> Numbers:
    """What an operator is told of a problem beside tensors."""
    zero, compact = problem.border == "zero", problem.offset == "compact"
    scales = problem.logit_scale, problem.position_scale
    return problem.block, problem.halo, problem.stride, zero, compact, *scales


def problem_of(
    q: Tensor, k: Tensor, v: Tensor, rel_height: Tensor | None, block: int, halo: int, stride: int,
    zero: bool, compact: bool, scale: float, position_scale: float,
) -> Problem:  # fmt: skip
    table = 0 if rel_height is None else rel_height.shape[-1]
    dtype = str(q.dtype).removeprefix("torch.")
    numbers = (block, halo, stride, zero, compact, scale, position_scale)
    return problem_of_shapes(tuple(k.shape), v.shape[-1], table, dtype, numbers)


def differentiable(grad: Tensor, inputs: Sequence[Any], numbers: Numbers) -> list[Tensor | None]:
    """The gradients of an operator's tensors as operations that have gradients themselves.

    For a backward pass that is differentiated: that of an operator would be taken for a constant.
    """
    q, k, v, rel_height, rel_width = inputs
    problem = problem_of(q, k, v, rel_height, *numbers)
    position = None if rel_height is None or rel_width is None else (rel_height, rel_width)
    wanted = [x for x in inputs if x is not None and x.requires_grad]
    out = as_operations(q, k, v, position, problem)
    found = iter(torch.autograd.grad(out, wanted, grad, create_graph=True, allow_unused=True))
    return [next(found) if x is not None and x.requires_grad else None for x in inputs]


def as_operations(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    """The same result by operations of torch, which have every rule that there is."""
    return IMPLEMENTATIONS["haloed_blocked"].attend(q, k, v, position, problem)


def transformed() -> bool:
    """Whether a transform of `torch.func` or forward-mode differentiation is on its way through this call.

    An operator has no rules for these; `as_operations` has.
    """
    if torch.compiler.is_compiling():
        return False
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def observed(*tensors: Tensor) -> bool:
    """Whether operators are looked at one by one, and ours must be one: by a compiler, a tracer, a counter.

    Those of tensors with ways of their own are, too.
    """
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
        return True
    return torch._C._len_torch_dispatch_stack() > 0 or any(type(x) not in PLAIN for x in tensors)


@cache
def problem_of_shapes(keys: tuple[int, ...], dim_v: int, table: int, dtype: str, numbers: Numbers) -> Problem:
    """Make a problem from the shape of keys and the channels of values and of a table, 0 without one."""
    block, halo, stride, zero, compact, scale, position_scale = numbers
    batch, heads, height, width, dim_qk = keys
    position = "none" if table == 0 else "sum" if table == dim_qk else "split"
    return Problem(
        batch=batch, heads=heads, height=height, width=width, dim_qk=dim_qk, dim_v=dim_v, block=block,
        halo=halo, stride=stride, border="zero" if zero else "mask", position=position,
        offset="compact" if compact else "exact", scale=scale, position_scale=position_scale,
        dtype=dtype,
    )  # fmt: skip


def flop(q: Any, k: Any, v: Any, rel_height: Any, rel_width: Any, *numbers: Any, **_: Any) -> int:
    """What the problem asks for (`Problem.flop`), of the shapes that torch's counter hands over."""
    return _counted(q, k, v, rel_height, numbers).flop()


def flop_backward(grad: Any, q: Any, k: Any, v: Any, rel_height: Any, *others: Any, **_: Any) -> int:
    """Count as `flop`, for the backward pass alone."""
    problem = _counted(q, k, v, rel_height, others[-NUMBERS:])
    return problem.flop("forward_backward") - problem.flop()


def fvcore_handle(inputs: list[Any], outputs: list[Any]) -> int:
    """Count for `FlopCountAnalysis.set_op_handle("halobench::triton_fused", …)`: a multiply-add is one.

    Args:
        inputs: the values of the operator's node in a traced graph.
        outputs: not looked at.
    """
    shapes = [value.type().sizes() if value.type().kind() == "TensorType" else None for value in inputs[:5]]
    numbers = tuple(value.toIValue() for value in inputs[5:])
    q, k, v, rel_height, _ = shapes
    return _counted(q, k, v, rel_height, numbers).flop() // 2


def _counted(q: Any, k: Any, v: Any, rel_height: Any, numbers: tuple[Any, ...]) -> Problem:
    q, k, v = (torch.empty(shape, device="meta") for shape in (q, k, v))
    table = None if rel_height is None else torch.empty(rel_height, device="meta")
    return problem_of(q, k, v, table, *numbers)
