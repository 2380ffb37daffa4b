"""A run on disk: the plan, every record with its samples the moment it exists, and the frame made of them."""

import dataclasses
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from halobench import published, stats
from halobench.allocator import UNSTATED
from halobench.problem import PROBLEM_FIELDS, AttentionCase, Case, ModelCase, Problem
from halobench.record import SCHEMA, SEVERITY, Record, Usage, Work

NAME = "results.db"
SERIES = ("samples", "samples_hot", "samples_host", "samples_adapt", "samples_warmup")
RAW = "samples_s"  # the column that holds all samples of a case, a list
ELSEWHERE = ("case", "replicate", *SERIES)  # fields of a record that have columns or tables of their own
COLUMNS = [
    *("case", "workload", "model", "implementation", "direction", "device", "threads", "allocator"),
    *("dtype", "layout"),
    *(
        "batch",
        "heads",
        "height",
        "width",
        "dim_qk",
        "dim_v",
        "block",
        "halo",
        "stride",
        "border",
        "position",
    ),
    *("offset", "scale", "position_scale", "image_size", "mode", "status", "reason", "error"),
    *("time_s", "time_low_s", "time_high_s", "samples", "time_hot_s", "host_s", "adapt_s", "compile_s"),
    "tune_s",
    *("user_s", "system_s", "page_faults", "voluntary_switches", "involuntary_switches", "others_cores"),
    "warmup_s",
    *(
        "peak_bytes",
        "reserved_bytes",
        "flop",
        "flop_executed",
        "min_bytes",
        "params",
        "top1",
        "config",
        "device_state",
    ),
    RAW,
]
WORDS = {"case", "workload", "model", "implementation", "direction", "device", "dtype", "layout", "border"}
WORDS |= {
    "allocator",
    "position",
    "offset",
    "mode",
    "status",
    "reason",
    "config",
    "device_state",
    RAW,
}  # every other column is a number
TABLES = """
CREATE TABLE about (schema INTEGER NOT NULL);
CREATE TABLE cases (id TEXT PRIMARY KEY, place INTEGER NOT NULL, fields TEXT NOT NULL);
CREATE TABLE records (
    id TEXT NOT NULL REFERENCES cases, replicate INTEGER NOT NULL, fields TEXT NOT NULL,
    PRIMARY KEY (id, replicate)
);
CREATE TABLE samples (
    id TEXT NOT NULL, replicate INTEGER NOT NULL, series TEXT NOT NULL, place INTEGER NOT NULL,
    seconds REAL NOT NULL, PRIMARY KEY (id, replicate, series, place)
) WITHOUT ROWID;
"""


class Store:
    """The database `results.db` of a run's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        if not self.path.exists():
            raise FileNotFoundError(f"{folder} holds no run: {NAME} is missing")
        self._must_be_readable()

    @classmethod
    def create(cls, folder: Path, plan: Iterable[Case]) -> "Store":
        """Start a run: every planned case is known before the first is measured."""
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / NAME).exists():
            raise FileExistsError(f"{folder} holds a run already; resume it, or choose another folder")
        rows = [(case.id, place, json.dumps(case.fields)) for place, case in enumerate(plan)]
        connection = sqlite3.connect(folder / NAME)
        connection.executescript(TABLES)
        with connection:
            connection.execute("INSERT INTO about VALUES (?)", (SCHEMA,))
            connection.executemany("INSERT INTO cases VALUES (?, ?, ?)", rows)
        connection.close()
        return cls(folder)

    def add(self, record: Record) -> None:
        """Write a record and its samples, all or nothing; one of the same case and replicate is replaced."""
        key = record.case.id, record.replicate
        fields = {name: value for name, value in vars(record).items() if name not in ELSEWHERE}
        fields |= {"work": dataclasses.asdict(record.work), "usage": dataclasses.asdict(record.usage)}
        samples = [
            (*key, series, place, seconds)
            for series in SERIES
            for place, seconds in enumerate(getattr(record, series))
        ]
        with self._connection() as connection:
            connection.execute("DELETE FROM samples WHERE id = ? AND replicate = ?", key)
            connection.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (*key, json.dumps(fields)))
            connection.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", samples)

    def plan(self) -> list[Case]:
        with self._connection() as connection:
            rows = connection.execute("SELECT fields FROM cases ORDER BY place").fetchall()
        return [_case(json.loads(fields)) for (fields,) in rows]

    def records(self) -> list[Record]:
        """In the order of the plan."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT id, replicate, cases.fields, records.fields FROM records JOIN cases USING (id) "
                "ORDER BY cases.place, replicate"
            ).fetchall()
            samples = connection.execute(
                "SELECT id, replicate, series, seconds FROM samples ORDER BY id, replicate, series, place"
            ).fetchall()
        series: dict[tuple[str, int], dict[str, list[float]]] = {}
        for case_id, replicate, name, seconds in samples:
            series.setdefault((case_id, replicate), {}).setdefault(name, []).append(seconds)
        return [
            _record(
                _case(json.loads(case)), replicate, json.loads(fields), series.get((case_id, replicate), {})
            )
            for case_id, replicate, case, fields in rows
        ]

    def _must_be_readable(self) -> None:
        try:
            with self._connection() as connection:
                (schema,) = connection.execute("SELECT schema FROM about").fetchone()
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self.path} can not be read: {error}") from None
        if not 1 <= schema <= SCHEMA:
            raise ValueError(f"{self.path} has schema {schema}, this halobench reads 1 to {SCHEMA}")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        connection = sqlite3.connect(self.path)
        try:
            with connection:
                yield connection
        finally:
            connection.close()


def frame(plan: Iterable[Case], records: Iterable[Record]) -> pd.DataFrame:
    """One row a planned case: what was asked, the outcome, medians; empty where nothing was measured."""
    by_case: dict[str, list[Record]] = {}
    for record in records:
        by_case.setdefault(record.case.id, []).append(record)
    rows = [_row(case, by_case.get(case.id, [])) for case in plan]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype({name: "float64" for name in COLUMNS if name not in WORDS})


def read(folders: Iterable[Path]) -> pd.DataFrame:
    """The frame of one run or of several; of a case in more than one of them the last that tried it counts.

    The column `run` says which that is.
    """
    frames = [
        frame(store.plan(), store.records()).assign(run=store.path.parent.resolve().name)
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
    times, hot, host, adapt, _ = (stats.summary(seconds) for seconds in (samples, *others))
    usage = sum((record.usage for record in timed), start=Usage())
    return (
        row
        | {
            "status": last.status,
            "reason": last.reason,
            "error": _largest(record.error for record in records),
            "time_s": times.median,
            "time_low_s": times.low,
            "time_high_s": times.high,
            "samples": len(samples) or None,
            RAW: samples or None,
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
        }
        | _per_call(usage)
        | dataclasses.asdict(last.work)
    )


def _per_call(usage: Usage) -> dict[str, float]:
    """What a timed call used, on average; nothing where that was not noted."""
    names = "user_s", "system_s", "page_faults", "voluntary_switches", "involuntary_switches"
    return {name: getattr(usage, name) / usage.calls for name in names} if usage.calls else {}


def _largest(values: Iterable[float | None]) -> float:
    return max((value for value in values if value is not None), default=math.nan)


def _case(fields: dict[str, Any]) -> Case:
    fields.setdefault("allocator", UNSTATED)  # of schemas before 4
    if "model" in fields:
        return ModelCase(**fields)
    problem = Problem(**{name: fields.pop(name) for name in PROBLEM_FIELDS})
    return AttentionCase(**fields, problem=problem)


def _record(case: Case, replicate: int, fields: dict[str, Any], series: dict[str, list[float]]) -> Record:
    work, usage = Work(**fields.pop("work")), Usage(**fields.pop("usage", {}))
    lists: dict[str, Any] = {name: tuple(series.get(name, ())) for name in SERIES}
    return Record(case=case, replicate=replicate, work=work, usage=usage, **fields, **lists)
