"""Stored runs as one table: a row per case, with the medians and intervals of its samples."""

import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from halobench.case import AttentionCase, Case, ModelCase
from halobench.device.usage import Usage
from halobench.results import published
from halobench.results.columns import COLUMNS, SAMPLES
from halobench.results.folder import run_names
from halobench.results.record import SEVERITY, Record
from halobench.results.store import SERIES, Store
from halobench.stats import interval


def frame_of(plan: Iterable[Case], records: Iterable[Record]) -> pd.DataFrame:
    """One row a planned case: what was asked, the outcome, medians; empty where nothing was measured."""
    by_case: dict[str, list[Record]] = {}
    for record in records:
        by_case.setdefault(record.case.id, []).append(record)
    rows = [_row(case, by_case.get(case.id, [])) for case in plan]
    table = pd.DataFrame(rows, columns=[column.name for column in COLUMNS])
    return table.astype({column.name: column.dtype for column in COLUMNS})


def read_runs(folders: Iterable[Path]) -> pd.DataFrame:
    """The frame of one run or of several; of a case in more than one of them the last that tried it counts.

    The column `run` says which that is.
    """
    folders = list(folders)
    names = {path: name for name, path in run_names(folders).items()}
    frames = [
        frame_of(store.plan(), store.records()).assign(run=names[store.path.parent.resolve()])
        for store in map(Store, folders)
    ]
    rows = pd.concat(frames, ignore_index=True)
    best = rows.assign(tried=rows["status"] != "pruned").sort_values("tried", kind="stable")
    return rows.loc[best.drop_duplicates("case", keep="last").index.sort_values()].reset_index(drop=True)


def _row(case: Case, records: list[Record]) -> dict[str, Any]:
    row: dict[str, Any] = {"case": case.id, "workload": case.workload} | case.fields
    if isinstance(case, AttentionCase):
        row["scale"] = case.problem.logit_scale
    if not records:
        return row | {"status": "pruned", "reason": "not reached: the run was interrupted"}
    last = max(records, key=lambda record: SEVERITY.index(record.status))  # the worst, of several replicates
    timed = records if last.status == "ok" else []  # else there is no time to speak of
    series = ([second for record in timed for second in getattr(record, name)] for name in SERIES)
    samples, *others = series
    times, hot, host, adapt, _ = (interval.summary(seconds) for seconds in (samples, *others))
    usage = sum((record.usage for record in timed), start=Usage())
    return (
        row
        | {
            "status": last.status,
            "reason": last.reason,
            "traceback": last.traceback,
            "error": _largest(record.error for record in records),
            "time_s": times.median,
            "time_low_s": times.low,
            "time_high_s": times.high,
            "time_min_s": min(samples, default=None),
            "time_p10_s": _percentile(samples, 0.1),
            "time_p90_s": _percentile(samples, 0.9),
            "samples": len(samples) or None,
            SAMPLES: samples or None,
            "time_hot_s": hot.median,
            "host_s": host.median,
            "adapt_s": adapt.median,
            "compile_s": last.compile_s,
            "tune_s": last.tune_s,
            "warmup_s": sum(others[-1]) if timed else None,
            "others_cores": usage.others_s / usage.wall_s if usage.wall_s else None,
            "config": last.config,
            "peak_bytes": _largest(record.peak_bytes for record in records),
            "reserved_bytes": _largest(record.reserved_bytes for record in records),
            "top1": published.top1(case.model, case.image_size) if isinstance(case, ModelCase) else None,
            "device_state": last.device_state,
            "ended": max(record.ended for record in records),
        }
        | _per_call(usage)
        | dataclasses.asdict(last.work)
    )


def _percentile(samples: list[float], share: float) -> float | None:
    return float(np.quantile(samples, share)) if samples else None


def _per_call(usage: Usage) -> dict[str, float]:
    """What a timed call used, on average; nothing where that was not noted."""
    names = "user_s", "system_s", "page_faults", "voluntary_switches", "involuntary_switches"
    return {name: getattr(usage, name) / usage.calls for name in names} if usage.calls else {}


def _largest(values: Iterable[float | None]) -> float:
    return max((value for value in values if value is not None), default=math.nan)
