"""The measurement of one case: check it, time it, probe it, and return one record whatever happens."""

import random
import traceback
from contextlib import nullcontext
from functools import partial
from statistics import median

import torch

from halobench.attention import autotune
from halobench.case import AttentionCase, Case
from halobench.device.device import Device
from halobench.device.device import device as device_of
from halobench.measure import plausibility
from halobench.measure.sampling import Kept, sample, take, warm_up
from halobench.measure.workload import Settings, Workload, short_of_memory
from halobench.plugins import told
from halobench.results.record import Record, Status, Work

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


def measure(case: Case, settings: Settings, device: Device | None = None) -> Record:
    """Return a record, whatever happens in this process; time is only taken of what is right.

    The device is that of the case, unless one is given that stands for it.
    """
    record = partial(Record, case=case)
    work = Work()
    try:
        torch.set_num_threads(case.threads)
        if reason := workload(case).unsupported(case):
            return record(status="unsupported", reason=reason)
        work = workload(case).work(case)
        with autotune.defaults() if settings.autotune == "off" else nullcontext():
            return _measure(case, settings, device or device_of(case.device), work)
    except Exception as error:  # one broken case must not end the sweep
        status: Status = "oom" if short_of_memory(error) else "failed"
        return record(status=status, reason=told(error), traceback=traceback.format_exc(), work=work)


def _measure(case: Case, settings: Settings, device: Device, work: Work) -> Record:
    record = partial(Record, case=case, work=work)
    ready = workload(case).prepare(case, settings, device)
    cold_clock, hot_clock = device.clocks()
    with autotune.autotune(trials=settings.autotune == "try") as tuned:
        first_s, judged = ready.first()
    if judged.wrong:
        return record(status="wrong", reason=judged.wrong, error=judged.error)
    device.warm_up(ready.call)
    warm = warm_up(ready.call, cold_clock, settings.stop.seconds)
    before = device.state()
    cold = take(ready, device, cold_clock, settings.stop, random.Random(settings.seed))
    if cold.judged.wrong:
        reason = f"{cold.judged.wrong}, in one of the calls after the first"
        return record(status="wrong", reason=reason, error=cold.judged.error)
    hot = [] if hot_clock is None else sample(ready.call, device, hot_clock, settings.stop)
    after = device.state()
    adapt = [] if ready.adapt is None else cold_clock.series(ready.adapt, ADAPT_SAMPLES)
    kept = Kept(ready.call)
    memory = device.memory(kept)
    samples = tuple(sample.device_s for sample in cold.samples)
    samples_host = tuple(sample.host_s for sample in cold.samples)
    result_bytes, rate = plausibility.nbytes(kept.result), device.matrix_rate(case.dtype)
    doubt = plausibility.doubt(samples, memory.peak_bytes, result_bytes, work, rate)
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
