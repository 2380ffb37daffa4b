"""Two runs to a verdict a case: faster, slower, same, or unknown and why.

A case is faster or slower where the interval of its ratio lies wholly beyond the threshold, and so surely
that in at most one of twenty comparisons a case is called that changed less; it is the same where the
interval lies wholly within. `docs/method.md` says why, and what this cannot see.
"""

from collections.abc import Iterable, Sequence
from math import isfinite, log
from statistics import geometric_mean, median
from typing import Any

import pandas as pd

from halobench import units
from halobench.case import Case
from halobench.errors import UsageError
from halobench.results.frame import frame_of
from halobench.results.record import BAD, Record
from halobench.stats import ratios

THRESHOLD = 0.05
FALSE_ALARMS = 0.05  # of comparisons
LEAST = {"processes": 2, "samples": 6}
ENOUGH_CASES = 8  # to tell by them what the values of a case do not show
BEFORE, AFTER = "before", "after"
COLUMNS = [
    *("case", "verdict", "reason", "ratio", "ratio_low", "ratio_high", "p", "unit"),
    *("count_before", "count_after", "time_before_s", "time_after_s"),
    *("memory_ratio", "peak_bytes_before", "peak_bytes_after"),
    *("status_before", "status_after", "error_before", "error_after", "broken"),
]

Row = dict[str, Any]
Series = list[tuple[float, ...]]  # the samples of each process
Pair = tuple[list[float], list[float]]  # the values of a case that are tested, one list a side


def side(plan: Iterable[Case], records: Sequence[Record]) -> pd.DataFrame:
    """A run as it is compared, one row a case: outcome, peak memory, and the samples of each process."""
    frame = frame_of(plan, records).set_index("case")[["status", "reason", "error", "peak_bytes"]]
    series: dict[str, Series] = {case: [] for case in frame.index}
    for record in records:
        series[record.case.id] += [record.samples] if record.samples else []
    return frame.assign(series=pd.Series(series, dtype=object))


def compare(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    threshold: float = THRESHOLD,
    different: Sequence[str] = (),
) -> pd.DataFrame:
    """A row a case of either side, the largest ratio first: above 1 the second is slower.

    Args:
        before: the baseline, as `side` gives it.
        after: what is judged.
        threshold: the change that is let pass, as a fraction.
        different: how the environments differ; where they do no case has a verdict.
    """
    if not (isfinite(threshold) and threshold >= 0):
        raise UsageError(f"threshold: {threshold} must be 0 or more, as 0.05 for 5 %")
    both = before.merge(
        after, how="outer", left_index=True, right_index=True, suffixes=(f"_{BEFORE}", f"_{AFTER}")
    )
    both["memory_ratio"] = both[f"peak_bytes_{AFTER}"] / both[f"peak_bytes_{BEFORE}"]
    rows = [_row(row, different) for row in both.rename_axis("case").reset_index().to_dict("records")]
    _judge([row for row in rows if not row["reason"]], threshold)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values("ratio", ascending=False, kind="stable", ignore_index=True)


def _row(row: Row, different: Sequence[str]) -> Row:
    """What is known of a case before the test; the reason against a verdict, if there is one."""
    known = {name: row[name] for name in COLUMNS if name in row}
    known |= {"verdict": "unknown", "broken": _broken(row), "reason": _unlike(row, different)}
    if not known["reason"]:
        series = row[f"series_{BEFORE}"], row[f"series_{AFTER}"]
        if any(second <= 0 for side in series for process in side for second in process):
            return known | {"reason": "a time of zero or less"}
        known |= _values(*series)
        known["reason"] = _too_few(known)
    return known


def _broken(row: Row) -> bool:
    """Wrong, crashed or failed, and it was not; or no longer measured though it was."""
    was, now = row[f"status_{BEFORE}"], row[f"status_{AFTER}"]
    if pd.isna(now) or now in ("ok", "pruned"):
        return False
    return was == "ok" or (now in BAD and was not in BAD)


def _unlike(row: Row, different: Sequence[str]) -> str:
    """Why the two sides of a case are not the same thing measured twice; empty where they are."""
    was, now = row[f"status_{BEFORE}"], row[f"status_{AFTER}"]
    if pd.isna(now) or pd.isna(was):
        return f"only in the {'baseline' if pd.isna(now) else 'new run'}"
    if different:
        return f"different environment: {'; '.join(different)}"
    if (was, now) != ("ok", "ok"):
        why = row[f"reason_{AFTER}"] if now != "ok" else row[f"reason_{BEFORE}"]
        return f"not measured in both: was {was}, now {now}" + (f" ({why})" if why else "")
    return ""


def _values(before: Series, after: Series) -> Row:
    """The values that are tested: a median a process, or of parts of the samples where a side has one."""
    several = min(len(before), len(after)) >= LEAST["processes"]
    samples = [[second for process in series for second in process] for series in (before, after)]
    counts = [len(before), len(after)] if several else [len(series) for series in samples]
    values = [
        [median(process) for process in series] if several else ratios.parts(joined)
        for series, joined in zip((before, after), samples, strict=True)
    ]
    return {
        "unit": "processes" if several else "samples",
        "values": tuple(values),
        f"count_{BEFORE}": counts[0],
        f"count_{AFTER}": counts[1],
        f"time_{BEFORE}_s": geometric_mean(values[0]),
        f"time_{AFTER}_s": geometric_mean(values[1]),
    }


def _too_few(known: Row) -> str:
    least, counts = LEAST[known["unit"]], (known[f"count_{BEFORE}"], known[f"count_{AFTER}"])
    if min(counts) >= least:
        return ""
    return f"too few samples: {counts[0]} and {counts[1]}, {least} are the least"


def _judge(rows: list[Row], threshold: float) -> None:
    """Add ratio, interval, p over all cases, and the verdict, in place."""
    noise = _unseen([row["values"] for row in rows])
    found = [_ratio(row["values"], threshold, noise) for row in rows]
    for row, ratio, p in zip(rows, found, ratios.holm([ratio.p for ratio in found]), strict=True):
        verdict, reason = _verdict(ratio, p, threshold)
        row |= {"ratio": ratio.value, "ratio_low": ratio.low, "ratio_high": ratio.high, "p": p}
        row |= {"verdict": verdict, "reason": reason}


def _ratio(values: Pair, threshold: float, noise: ratios.Noise) -> ratios.Ratio:
    before, after = values
    if before == after:  # a run beside itself: the very same samples leave nothing open
        return ratios.Ratio(1.0, 1.0, 1.0, 1.0)
    return ratios.ratio(before, after, band=threshold, unseen=noise)


def _unseen(cases: list[Pair]) -> ratios.Noise:
    """What the values of a case have in common, so that they cannot show it: how apart most cases moved."""
    if len(cases) < ENOUGH_CASES:
        return ratios.NONE
    return ratios.scatter([log(geometric_mean(after) / geometric_mean(before)) for before, after in cases])


def _verdict(ratio: ratios.Ratio, p: float, threshold: float) -> tuple[str, str]:
    most = 1 + threshold
    if p < FALSE_ALARMS:
        return ("slower" if ratio.value > 1 else "faster"), ""
    if 1 / most <= ratio.low and ratio.high <= most:
        return "same", ""
    interval = f"{units.ratio(ratio.low)} to {units.ratio(ratio.high)}"
    if ratio.low > most or ratio.high < 1 / most:
        return "unknown", f"may be chance among so many cases: {interval}"
    return "unknown", f"too noisy: {interval}"
