"""How long cases will take on a GPU, to plan by: a guess from what each must do; none was measured yet."""

from collections.abc import Iterable
from math import prod

from halobench.prepare import workload
from halobench.problem import AttentionCase, Case

START_S = 2.5  # a process, CUDA's context, the first product, the end of the process
NORMAL = 1e8  # values a second that one core draws for the inputs: measured 0.96e8 on an AMD EPYC
COMPILED = {"haloed_compiled": 12.0, "flex_blocks": 12.0}  # seconds of torch.compile a direction
NETWORK_S = 5.0  # to build it, count it, and to know what is right
GRAPH_S = 40.0  # of torch.compile for a network; training has it twice, to be checked in eval mode
UNSUPPORTED_S = 0.1


def seconds(cases: Iterable[Case], samples_s: float) -> float:
    """Of all of them, with so many seconds of samples each, cold and hot."""
    return sum(_seconds(case, 2 * samples_s) for case in cases)


def _seconds(case: Case, samples_s: float) -> float:
    if isinstance(case, AttentionCase):
        return _of_attention(case, samples_s)
    graphs = {"inference": 1, "training": 2}[case.direction] if case.mode == "compiled" else 0
    return START_S + NETWORK_S + samples_s + graphs * GRAPH_S


def _of_attention(case: AttentionCase, samples_s: float) -> float:
    if workload(case).unsupported(case):
        return UNSUPPORTED_S
    shapes = case.problem.q_shape, case.problem.k_shape, case.problem.v_shape, case.problem.out_shape
    passes = 2 if case.direction == "forward_backward" else 1
    compiling = COMPILED.get(case.implementation, 0.0) * passes
    return START_S + sum(map(prod, shapes)) / NORMAL + samples_s + compiling
