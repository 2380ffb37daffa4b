"""How long cases will take, to plan by: guesses from what each must do, of one machine and of none yet.

On a CPU the figures are those of `quick` on two cores of an AMD EPYC; on a GPU nothing was measured yet.
"""

from collections.abc import Iterable
from dataclasses import replace
from math import prod

from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.case import AttentionCase, Case, ModelCase
from halobench.measure.measurement import workload
from halobench.measure.stopping import StoppingCriterion

# On a CPU.
START_CPU_S = {"attention": 0.15, "model": 0.6}  # a process, inputs, counting
RATE_OF_A_CORE = {"attention": 2e9, "model": 2e10}  # executed operations a second
UNTIMED = {"attention": 2.0, "model": 6.0}  # calls beside the samples: the first, memory, what is right

# On a GPU.
START_S = 2.5  # a process, CUDA's context, the first product, the end of the process
NORMAL = 1e8  # values a second that one core draws for the inputs: measured 0.96e8 on an AMD EPYC
NETWORK_S = 5.0  # to build it, count it, and to know what is right
GRAPH_S = 40.0  # of torch.compile for a network; training has it twice, to be checked in eval mode

UNSUPPORTED_S = 0.1


def seconds(cases: Iterable[Case], samples_s: float) -> float:
    """Estimate all cases, with so many seconds of samples each."""
    return sum(of_case(case, samples_s) for case in cases)


def of_case(case: Case, samples_s: float) -> float:
    """Estimate a case in a process of its own; on a GPU samples are taken cold and hot."""
    if isinstance(case, AttentionCase) and workload(case).unsupported(case):
        return UNSUPPORTED_S
    own = _on_cpu(case, samples_s) if case.device == "cpu" else _on_gpu(case, 2 * samples_s)
    return own + _compiling(case)


def _compiling(case: Case) -> float:
    passes = 2 if case.direction in ("forward_backward", "training") else 1
    if isinstance(case, ModelCase):
        return GRAPH_S * passes if case.mode == "compiled" else 0.0
    return IMPLEMENTATIONS[case.implementation].compile_s * passes


def _on_cpu(case: Case, samples_s: float) -> float:
    call_s = _executed(case) / (RATE_OF_A_CORE[case.workload] * case.threads)
    stop = StoppingCriterion(seconds=samples_s)
    sampled = min(max(samples_s, stop.min_samples * call_s), stop.patience * samples_s + call_s)
    return START_CPU_S[case.workload] + sampled + UNTIMED[case.workload] * call_s


def _executed(case: Case) -> int:
    """Count a network as if for one image with `haloed_blocked` inside: counting each case takes too long."""
    if isinstance(case, AttentionCase):
        return workload(case).work(case).flop_executed or 0
    inside = "haloed_blocked" if case.implementation else ""
    one = workload(case).work(replace(case, batch=1, implementation=inside))
    return case.batch * (one.flop_executed or 0)


def _on_gpu(case: Case, samples_s: float) -> float:
    if not isinstance(case, AttentionCase):
        return START_S + NETWORK_S + samples_s
    shapes = case.problem.q_shape, case.problem.k_shape, case.problem.v_shape, case.problem.out_shape
    return START_S + sum(map(prod, shapes)) / NORMAL + samples_s
