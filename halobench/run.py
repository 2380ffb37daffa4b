"""The loop: leave out, check, sample, probe; every record is yielded the moment it exists."""

import dataclasses
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import groupby
from statistics import median

import torch

from halobench import clock, plausible, probes, tuning
from halobench.clock import Clock
from halobench.plugins import told
from halobench.prepare import Settings, short_of_memory, workload
from halobench.problem import AttentionCase, Case
from halobench.record import Record, Work
from halobench.sampling import Kept, sample, take, warm_up

Measure = Callable[[Case], Record]
Clocks = tuple[Clock, Clock | None]  # cold, and back to back where that differs

ADAPT_SAMPLES = 7
TOO_LARGE = ("oom", "timeout")
SIZES = ("batch", "heads", "height", "width", "dim_qk", "dim_v", "image_size")


def run(
    plan: Iterable[Case],
    measure: Measure,
    *,
    replicates: int = 1,
    seed: int = 0,
    before: Iterable[Record] = (),
) -> Iterator[Record]:
    """Measure every case as often as asked; what is larger than one that was too large is left out.

    `before` are the records of a run that is resumed: they are not measured again.
    """
    before = list(before)
    done = {(record.case, record.replicate) for record in before}
    too_large = [record for record in before if record.status in TOO_LARGE]
    for replicate, case in _order(plan, replicates, random.Random(seed)):
        if (case, replicate) in done:
            continue
        record = _pruned(case, too_large) or measure(case)
        if record.status in TOO_LARGE:
            too_large.append(record)
        yield dataclasses.replace(record, replicate=replicate)


def _pruned(case: Case, too_large: list[Record]) -> Record | None:
    """Of a case that is not smaller than one that was too large; of that very case the same record."""
    for other in too_large:
        if case == other.case:
            return other
        if _not_smaller(case, other.case):
            return Record(
                case=case, status="pruned", reason=f"{other.case.id} was too large", work=work_of(case)
            )
    return None


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
        with tuning.defaults() if settings.autotune == "off" else nullcontext():
            return _measure(case, settings, clocks or clock.clocks(case.device), work)
    except Exception as error:  # one broken case must not end the sweep
        return record(status="oom" if short_of_memory(error) else "failed", reason=told(error), work=work)


def _measure(case: Case, settings: Settings, clocks: Clocks, work: Work) -> Record:
    record = partial(Record, case=case, work=work)
    ready = workload(case).prepare(case, settings)
    with tuning.autotune(trials=settings.autotune == "try") as tuned:
        first_s, judged = ready.first()
    if judged.wrong:
        return record(status="wrong", reason=judged.wrong, error=judged.error)
    clock.warm_up(ready.call, case.device)
    warm = warm_up(ready.call, clocks[0], settings.stop.seconds)
    before = probes.device_state(case.device)
    cold = take(ready, clocks[0], settings.stop, random.Random(settings.seed))
    if cold.judged.wrong:
        reason = f"{cold.judged.wrong}, in one of the calls after the first"
        return record(status="wrong", reason=reason, error=cold.judged.error)
    hot = [] if clocks[1] is None else sample(ready.call, clocks[1], settings.stop)
    after = probes.device_state(case.device)
    adapt = [] if ready.adapt is None else clocks[0].series(ready.adapt, ADAPT_SAMPLES)
    kept = Kept(ready.call)
    memory = probes.memory(kept, case.device)
    samples = tuple(sample.device_s for sample in cold.samples)
    samples_host = tuple(sample.host_s for sample in cold.samples)
    rate = plausible.matrix_rate(clock.clocks(case.device)[0], case.dtype, case.device)
    doubt = plausible.doubt(samples, memory.peak_bytes, plausible.nbytes(kept.result), work, rate)
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


def _order(plan: Iterable[Case], replicates: int, chance: random.Random) -> Iterator[tuple[int, Case]]:
    """Once: as planned. Else in rounds over the plan, the implementations of a problem in random order.

    So those that are compared are measured within seconds of each other, and the replicates of a case
    minutes apart: a machine that is busy for a while does not meet all of them.
    """
    problems = [
        list(alike)
        for _, alike in groupby(plan, key=lambda case: dataclasses.replace(case, implementation=""))
    ]
    for replicate in range(replicates):
        for cases in problems:
            if replicates > 1:
                chance.shuffle(cases)
            yield from ((replicate, case) for case in cases)


def _not_smaller(case: Case, other: Case) -> bool:
    """Whether two cases differ in sizes only, and none of the first's is below the other's."""
    if type(case) is not type(other):
        return False
    these, others = case.fields, other.fields
    same = all(these[name] == others[name] for name in these if name not in SIZES)
    return same and all(these[name] >= others[name] for name in SIZES if name in these)
