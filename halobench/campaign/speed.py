"""How fast standard problems are: implementations in turn, in one process a problem; and what clocks do.

In every round each has its turn, in another order each time: ratios are of times taken within a second. Raw
samples are kept, a line of JSON a problem.
"""

import json
import random
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Any

import torch

from halobench import files, plugins
from halobench.attention import check, oracle
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.attention.oracle import Inputs
from halobench.attention.problem import Problem
from halobench.device import ptxas
from halobench.device.clock import Call, Clock, QueueClock
from halobench.device.cuda import Cuda, CudaQueue, cold_clock
from halobench.device.device import device as device_of
from halobench.measure.workload import short_of_memory

OURS = "triton_fused"
BESIDE = (OURS, "sdpa_blocked", "haloed_blocked", "timm_halo")
DIRECTIONS = ("forward", "forward_backward")
ROUNDS = 9
CALLS = {"cold": 3, "hot": 10}  # of each in a round
IDLE_S = 1.0

Key = tuple[str, str]  # implementation and direction
Found = dict[str, Any]


def measure(title: str, problem: Problem, names: tuple[str, ...], device: str, layout: str) -> Found:
    """Samples of each implementation and direction, or why there are none. Meant for a process of its own."""
    if device == "cuda":
        ptxas.chosen()
    given = oracle.inputs(problem, layout, device)
    known = check.truth(problem, given)
    faults = {name: _fault(name, problem, given, known) for name in names}
    keys = [(name, direction) for direction in DIRECTIONS for name in names]
    reasons = {
        key: IMPLEMENTATIONS[key[0]].unsupported(problem, device, key[1]) or faults[key[0]] for key in keys
    }
    calls = {key: _call(key, problem, given) for key in keys if not reasons[key]}
    samples = _in_turn(calls, device)
    for name, _ in list(calls):
        if wrong := _wrong(name, problem, given, known):  # what was right before it was timed
            reasons |= {key: f"after it was timed: {wrong}" for key in calls if key[0] == name}
    rows = [
        {"implementation": name, "direction": direction, "reason": reasons[name, direction]}
        | {"samples": samples.get((name, direction), []) if not reasons[name, direction] else []}
        for name, direction in reasons
    ]
    return {"problem": title, "id": str(problem), "state": device_of(device).state(), "rows": rows}


def _fault(name: str, problem: Problem, given: Inputs, known: check.Truth) -> str:
    """Why an implementation is not timed at all; empty where it is right, or cannot run."""
    if IMPLEMENTATIONS[name].unsupported(problem, given.q.device.type, "forward"):
        return ""
    try:
        return _wrong(name, problem, given, known)
    except Exception as error:  # one that is broken must not end the others
        return "too little memory" if short_of_memory(error) else plugins.told(error)


def _wrong(name: str, problem: Problem, given: Inputs, known: check.Truth) -> str:
    verdict = check.examine(IMPLEMENTATIONS[name], problem, given, known)
    return "" if verdict.right else str(verdict)


def _call(key: Key, problem: Problem, given: Inputs) -> Call:
    name, direction = key
    grad_out = given.grad_out if direction == "forward_backward" else None
    return lambda: check.run(IMPLEMENTATIONS[name].attend, problem, given, grad_out)


def _in_turn(calls: dict[Key, Call], device: str) -> dict[Key, list[Found]]:
    chance = random.Random(0)
    sources = {key: _sources(device) for key in calls}
    for call in calls.values():
        device_of(device).warm_up(call)
    samples: dict[Key, list[Found]] = {key: [] for key in calls}
    for turn in range(ROUNDS):
        for key in chance.sample(list(calls), len(calls)):
            for kind, source in sources[key].items():
                taken = source.series(calls[key], CALLS[kind])
                samples[key] += [{"kind": kind, "round": turn} | asdict(sample) for sample in taken]
    return samples


def _sources(device: str) -> dict[str, Clock]:
    cold, hot = device_of(device).clocks()
    return {"cold": cold} if hot is None else {"cold": cold, "hot": hot}


def add(found: Found, file: Path) -> None:
    files.add_line(json.dumps(found), file)


def read(file: Path) -> list[Found]:
    """What is there; nothing where there is no file."""
    return [json.loads(line) for line in files.objects(file)]


def rounds(row: Found, kind: str, what: str = "device_s") -> list[float]:
    """The median of each round, in seconds."""
    taken: dict[int, list[float]] = {}
    for sample in row["samples"]:
        if sample["kind"] == kind:
            taken.setdefault(sample["round"], []).append(sample[what])
    return [median(values) for values in taken.values()]


def clocks(problem: Problem, layout: str) -> Found:
    """Medians in seconds of a launch: by how the cache is flushed, and right after a second without work."""
    ptxas.chosen()
    given = oracle.inputs(problem, layout, "cuda")
    call = _call((OURS, "forward"), problem, given)
    call()
    ways: dict[str, Clock] = {
        "hot": QueueClock(CudaQueue(), cold=False),
        "flush writes": cold_clock(_writing),
        "flush writes, then reads": cold_clock(),
        "flush writes twice as much": cold_clock(lambda size: _writing(2 * size)),
    }
    Cuda().warm_up(call)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, source in ways.items():
            taken[name] += [sample.device_s for sample in source.series(call, 5)]
    torch.cuda.synchronize()
    sleep(IDLE_S)
    start = monotonic()
    idle = [
        (monotonic() - start, ways["flush writes, then reads"].series(call, 1)[0].device_s) for _ in range(40)
    ]
    return {
        "problem": str(problem),
        "medians": {name: median(values) for name, values in taken.items()},
        "samples": taken,
        "after_idle": idle,
    }


def _writing(size: int) -> Callable[[], object]:
    return torch.empty(size, dtype=torch.int8, device="cuda").zero_


def small(problem: Problem) -> Problem:
    """To try everything out."""
    return replace(problem, batch=1, heads=2, height=16, width=16, dtype="float32")
