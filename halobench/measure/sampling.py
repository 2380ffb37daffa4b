"""The samples of a case: a warm-up until its times are steady, then slices of calls, each on other inputs."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from halobench.device.clock import Call, Clock, Sample
from halobench.device.device import Device
from halobench.device.usage import Usage
from halobench.measure.stopping import StoppingCriterion
from halobench.measure.workload import Judged, PreparedCase

SLICE_S = 0.02  # of calls between two sets of inputs; one call where that takes longer
SETTLED = 3  # calls in a row that are no faster than all before them end the warm-up
FASTER = 0.98  # of the fastest time before: less is faster


@dataclass(frozen=True)
class Taken:
    """Timed calls in order, what they used, and the judgement that was the worst."""

    samples: list[Sample]
    usage: Usage
    judged: Judged


def warm_up(call: Call, source: Clock, seconds: float) -> list[Sample]:
    """Calls until the last few are no faster than those before, or for so many seconds: one at least."""
    samples = source.series(call, 1)
    while sum(sample.host_s for sample in samples) < seconds and not _settled(samples):
        samples += source.series(call, 1)
    return samples


def _settled(samples: Sequence[Sample]) -> bool:
    times = [sample.device_s for sample in samples]
    return len(times) > SETTLED and min(times[-SETTLED:]) >= FASTER * min(times[:-SETTLED])


def take(
    ready: PreparedCase, device: Device, source: Clock, stop: StoppingCriterion, chance: random.Random
) -> Taken:
    """Slices of calls until there are enough samples; the last call and one drawn at random are judged.

    The inputs are rewritten before each slice. How long a slice is, and so which call may be judged, is left
    to chance. The one that is drawn is on other inputs than the first call of the case, judged before.
    """
    samples: list[Sample] = []
    usage, before = Usage(), device.others()
    end = device.now() + stop.patience * stop.seconds  # on a GPU there is more to a sample than its time
    turn, drawn, count, judged = 0, 0, 1, Judged()
    while not judged.wrong:
        turn += 1
        ready.write(turn % ready.sets)
        taken, spent, result = _slice(ready.call, device, source, count, chance)
        samples, usage = samples + taken, usage + spent
        last = stop.reached([sample.device_s for sample in samples]) or device.now() >= end
        drawn += turn % ready.sets != 0
        if last or (turn % ready.sets != 0 and chance.random() < 1 / drawn):
            judged = ready.judge(turn % ready.sets, result)
        if last:
            break
        count = _next(taken)
    meanwhile = device.others() - before
    usage += replace(meanwhile, others_s=max(0.0, meanwhile.others_s))
    return Taken(samples, usage, judged)


def _slice(
    call: Call, device: Device, source: Clock, count: int, chance: random.Random
) -> tuple[list[Sample], Usage, object]:
    """Up to so many samples after a call that finds the new inputs, and a copy of the last result.

    It is copied at once: what a thread may write into it later does not count.
    """
    kept = Kept(call)
    if count > 1:
        kept()
    before = device.usage()
    samples = source.series(kept, chance.randint((count + 1) // 2, count))
    used = device.usage() - before
    return samples, used + Usage(calls=len(samples)), copied(kept.result)


class Kept:
    """A call whose last result stays alive until the next one begins, as if it were dropped at its end."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.result: object = None

    def __call__(self) -> None:
        self.result = None
        self.result = self._call()


def copied(result: object) -> object:
    """Tensors, alone or by name, as they are now."""
    if isinstance(result, dict):
        return {name: copied(value) for name, value in result.items()}
    with torch.no_grad():
        return result.clone() if isinstance(result, Tensor) else result


def _next(taken: Sequence[Sample]) -> int:
    """How many calls fill a slice, and no more than twice as many as now."""
    mean_s = sum(sample.host_s for sample in taken) / len(taken)
    return max(1, min(2 * len(taken), int(SLICE_S / mean_s) if mean_s > 0 else 1))


def sample(call: Call, device: Device, source: Clock, stop: StoppingCriterion) -> list[Sample]:
    """Calls of anything until there are enough; a first series is never left without one."""
    samples: list[Sample] = []
    end = device.now() + stop.patience * stop.seconds
    while not stop.reached([sample.device_s for sample in samples]) and (not samples or device.now() < end):
        samples += source.series(call, max(1, len(samples) // 2))
    return samples
