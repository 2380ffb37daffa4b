"""The measurement of one case: check it, time it, probe it, and return one record whatever happens."""

import random
import traceback
from contextlib import nullcontext
from functools import partial
from statistics import median

import torch

from halobench.attention import autotune
from halobench.case import AttentionCase, Case
from halobench.device import clock, nvml
from halobench.device.clock import Clock
from halobench.device.memory import memory as memory_of
from halobench.measure import plausibility
from halobench.measure.sampling import Kept, sample, take, warm_up
from halobench.measure.workload import Settings, Workload, short_of_memory
from halobench.plugins import told
from halobench.results.record import Record, Status, Work

Clocks = tuple[Clock, Clock | None]  # cold, and back to back where that differs
ADAPT_SAMPLES = 7


def workload(case: Case) -> Workload:
    """The module that knows cases of this kind."""
    if isinstance(case, AttentionCase):
        from halobench.measure import attention_workload  # noqa: PLC0415  not both

        return attention_workload
    from halobench.measure import model_workload  # noqa: PLC0415  timm, which takes seconds

    return model_workload


def work_of(case: Case) -> Work:
    """What is known without running anything: of attention all, of a network nothing."""
    return workload(case).work(case) if isinstance(case, AttentionCase) else Work()


def measure(case: Case, settings: Settings, clocks: Clocks | None = None) -> Record:
    """One record, whatever happens, in this process; time is only taken of what is right."""
    record = partial(Record, case=case)
    work = Work()
    try:
        torch.set_num_threads(case.threads)
        if reason := workload(case).unsupported(case):
            return record(status="unsupported", reason=reason)
        work = workload(case).work(case)
        with autotune.defaults() if settings.autotune == "off" else nullcontext():
            return _measure(case, settings, clocks or clock.clocks(case.device), work)
    except Exception as error:  # one broken case must not end the sweep
        status: Status = "oom" if short_of_memory(error) else "failed"
        return record(status=status, reason=told(error), traceback=traceback.format_exc(), work=work)


def _measure(case: Case, settings: Settings, clocks: Clocks, work: Work) -> Record:
    record = partial(Record, case=case, work=work)
    ready = workload(case).prepare(case, settings)
    with autotune.autotune(trials=settings.autotune == "try") as tuned:
        first_s, judged = ready.first()
    if judged.wrong:
        return record(status="wrong", reason=judged.wrong, error=judged.error)
    clock.warm_up(ready.call, case.device)
    warm = warm_up(ready.call, clocks[0], settings.stop.seconds)
    before = nvml.device_state(case.device)
    cold = take(ready, clocks[0], settings.stop, random.Random(settings.seed))
    if cold.judged.wrong:
        reason = f"{cold.judged.wrong}, in one of the calls after the first"
        return record(status="wrong", reason=reason, error=cold.judged.error)
    hot = [] if clocks[1] is None else sample(ready.call, clocks[1], settings.stop)
    after = nvml.device_state(case.device)
    adapt = [] if ready.adapt is None else clocks[0].series(ready.adapt, ADAPT_SAMPLES)
    kept = Kept(ready.call)
    memory = memory_of(kept, case.device)
    samples = tuple(sample.device_s for sample in cold.samples)
    samples_host = tuple(sample.host_s for sample in cold.samples)
    rate = plausibility.matrix_rate(clock.clocks(case.device)[0], case.dtype, case.device)
    doubt = plausibility.doubt(samples, memory.peak_bytes, plausibility.nbytes(kept.result), work, rate)
    return record(
        status="implausible" if doubt else "ok",
        reason=doubt,
        error=max((each.error for each in (judged, cold.judged) if each.error is not None), default=None),
        samples=samples,
        samples_hot=tuple(sample.device_s for sample in hot),
        samples_host=samples_host,
        samples_adapt=tuple(sample.device_s for sample in adapt),
        samples_warmup=tuple(sample.device_s for sample in warm),
        compile_s=max(0.0, first_s - max(median(samples), median(samples_host))),
        tune_s=tuned.seconds if tuned.used else None,
        config=str(tuned),
        peak_bytes=memory.peak_bytes,
        reserved_bytes=memory.reserved_bytes,
        device_state="; ".join(state for state in (before, after) if state),
        usage=cold.usage,
    )
