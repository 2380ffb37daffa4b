"""What the operator `halobench::triton_fused` computes, for those that count operations."""

from typing import Any

import torch
from torch import Tensor

from halobench.problem import Problem


def problem_of(
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


def flop(q: Any, k: Any, v: Any, rel_height: Any, rel_width: Any, *numbers: Any, **_: Any) -> int:
    """What the problem asks for (`Problem.flop`), of the shapes that torch's counter hands over."""
    return _counted(q, k, v, rel_height, numbers).flop()


def flop_backward(grad: Any, q: Any, k: Any, v: Any, rel_height: Any, *others: Any, **_: Any) -> int:
    """As `flop`, of the backward pass alone."""
    problem = _counted(q, k, v, rel_height, others[3:])
    return problem.flop("forward_backward") - problem.flop()


def fvcore_handle(inputs: list[Any], outputs: list[Any]) -> int:
    """For `FlopCountAnalysis.set_op_handle("halobench::triton_fused", …)`: a multiply-add counts as one.

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
