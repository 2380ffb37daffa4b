"""A run on disk: its plan, and every record with its samples, written as soon as it exists."""

import dataclasses
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from halobench.case import Case, case_of
from halobench.device.allocator import UNSTATED
from halobench.device.usage import Usage
from halobench.errors import UsageError
from halobench.files import writable_folder
from halobench.results.record import SCHEMA, Record, Work

NAME = "results.db"
SERIES = ("samples", "samples_hot", "samples_host", "samples_adapt", "samples_warmup")
ELSEWHERE = ("case", "replicate", *SERIES)  # fields of a record that have columns or tables of their own
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
            raise UsageError(f"{folder} holds no run: {NAME} is missing")
        self._must_be_readable()

    @classmethod
    def create(cls, folder: Path, plan: Iterable[Case]) -> "Store":
        """Start a run: every planned case is known before the first is measured."""
        writable_folder(folder)
        if (folder / NAME).exists():
            raise UsageError(f"{folder} holds a run already; resume it, or choose another folder")
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
            connection.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (*key, _json(fields)))
            connection.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", samples)

    def plan(self) -> list[Case]:
        with self._connection() as connection:
            rows = connection.execute("SELECT fields FROM cases ORDER BY place").fetchall()
        return [_case(json.loads(fields)) for (fields,) in rows]

    def records(self) -> list[Record]:
        """Return all records, in the order of the plan."""
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
            raise UsageError(f"{self.path} cannot be read: {error}") from None
        if not 1 <= schema <= SCHEMA:
            raise UsageError(f"{self.path} has schema {schema}, this halobench reads 1 to {SCHEMA}")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        connection = sqlite3.connect(self.path)
        try:
            with connection:
                yield connection
        finally:
            connection.close()


def _json(fields: dict[str, Any]) -> str:
    """JSON has no NaN and no infinity: a number that is none is stored as null, and not known."""
    known = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in fields.items()
    }
    return json.dumps(known, allow_nan=False)


def _case(fields: dict[str, Any]) -> Case:
    return case_of({"allocator": UNSTATED} | fields)  # of schemas before 4


def _record(case: Case, replicate: int, fields: dict[str, Any], series: dict[str, list[float]]) -> Record:
    work, usage = Work(**fields.pop("work")), Usage(**fields.pop("usage", {}))
    lists: dict[str, Any] = {name: tuple(series.get(name, ())) for name in SERIES}
    return Record(case=case, replicate=replicate, work=work, usage=usage, **fields, **lists)
