"""Metrics: columns worked out from stored measurements, so that old runs get new metrics too."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from halobench.attention.problem import Problem
from halobench.case import AttentionCase, ModelCase
from halobench.registry import Registry

BASELINE = "naive_global"
ASKED = {field.name for kind in (Problem, AttentionCase, ModelCase) for field in dataclasses.fields(kind)}

Compute = Callable[[pd.DataFrame], pd.Series]
Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """A column of every report's frame: how it is computed, in what unit, and which way is better."""

    name: str
    unit: str
    better: Better
    compute: Compute


METRICS: Registry[Metric] = Registry("metric")


def metric(*, unit: str, better: Better) -> Callable[[Compute], Compute]:
    """Register a function from the stored frame to one column; the column has its name."""

    def register(compute: Compute) -> Compute:
        METRICS.add(compute.__name__, Metric(compute.__name__, unit, better, compute))
        return compute

    return register


def with_metrics(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame and a column a metric; what was not measured stays nan."""
    return frame.assign(**{name: entry.compute(frame) for name, entry in METRICS.items()})


def problem_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that say what was asked: rows alike in them differ in the implementation only."""
    return [
        name for name in frame.columns if name == "workload" or (name in ASKED and name != "implementation")
    ]


def over(frame: pd.DataFrame, column: str, implementation: str) -> pd.Series:
    """For each row the value that an implementation has on the same problem; nan where it has none."""
    keys = [frame[name].astype("string").fillna("") for name in problem_columns(frame)]
    known = frame[column].where(frame["implementation"] == implementation)
    return known.groupby(keys).transform("max")


@metric(unit="TFLOP/s", better="higher")
def throughput(frame: pd.DataFrame) -> pd.Series:
    """Of the useful work: computing slots outside the map, or pairs outside the window, does not help."""
    return frame["flop"] / frame["time_s"] / 1e12


@metric(unit="x", better="higher")
def speedup(frame: pd.DataFrame) -> pd.Series:
    """Against the baseline `naive_global` on the same problem and device."""
    return over(frame, "time_s", BASELINE) / frame["time_s"]


@metric(unit="GB/s", better="higher")
def bandwidth(frame: pd.DataFrame) -> pd.Series:
    """Of the bytes that every implementation must move; real traffic is this or more."""
    return frame["min_bytes"] / frame["time_s"] / 1e9


@metric(unit="x", better="lower")
def waste(frame: pd.DataFrame) -> pd.Series:
    """Executed over useful floating point operations."""
    return frame["flop_executed"] / frame["flop"]


@metric(unit="x", better="lower")
def system_share(frame: pd.DataFrame) -> pd.Series:
    """The system's share of the CPU time: page faults, and threads that are put to sleep and woken."""
    return frame["system_s"] / (frame["user_s"] + frame["system_s"])


@metric(unit="images/s", better="higher")
def images_per_second(frame: pd.DataFrame) -> pd.Series:
    """Of models, one call after the other: where the host takes longer than the device, at its pace."""
    slower = frame[["time_s", "host_s"]].max(axis=1).where(frame["device"] == "cuda", frame["time_s"])
    return (frame["batch"] / slower).where(frame["workload"] == "model")
