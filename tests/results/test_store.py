import json
import math
import sqlite3
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from cases import attention_record, frame_of, model_record

from halobench.attention import Problem
from halobench.device.usage import Usage
from halobench.errors import UsageError
from halobench.results import frame
from halobench.results.columns import COLUMNS, schema
from halobench.results.derived import with_metrics
from halobench.results.store import Store

USAGE = Usage(
    calls=3, user_s=6.0, system_s=1.5, page_faults=9, voluntary_switches=6, wall_s=8.0, others_s=2.0
)
RECORDS = [
    attention_record(
        "a",
        samples=(1.0, 2.0, 4.0),
        samples_hot=(0.5,),
        samples_warmup=(9.0, 3.0),
        usage=USAGE,
        position="sum",
        scale=0.3,
        reserved_bytes=7,
    ),
    attention_record("b", status="unsupported", samples=(), reason="needs a GPU"),
    model_record(samples=(3.0,)),
]


@pytest.fixture
def full(tmp_path):
    full = Store.create(tmp_path / "run", [record.case for record in RECORDS])
    for record in RECORDS:
        full.add(record)
    return full


def test_a_record_equals_itself_after_the_disk(full):
    assert full.records() == RECORDS
    assert full.plan() == [record.case for record in RECORDS]


def test_a_record_that_comes_again_replaces_the_first(full):
    again = attention_record("a", samples=(9.0,), position="sum", scale=0.3)
    full.add(again)
    assert full.records()[0] == again


def test_a_record_is_written_whole_or_not_at_all(full):
    broken = attention_record("a", samples=(9.0, "not a number", None), position="sum", scale=0.3)
    with pytest.raises(sqlite3.IntegrityError):
        full.add(broken)
    assert full.records() == RECORDS


def test_nothing_is_overwritten(full):
    with pytest.raises(UsageError, match="holds a run already"):
        Store.create(full.path.parent, [])


def test_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(UsageError, match=r"holds no run: results.db is missing"):
        Store(tmp_path)


def test_a_run_of_the_first_schema_is_read_and_its_allocator_is_unstated(full):
    with sqlite3.connect(full.path) as connection:
        connection.execute("UPDATE about SET schema = 1")
        connection.execute("DELETE FROM samples WHERE series IN ('samples_adapt', 'samples_warmup')")
        for table, later in {
            "cases": ("mode", "allocator"),
            "records": ("usage", "tune_s", "config", "traceback", "ended"),
        }.items():
            for case_id, fields in connection.execute(f"SELECT id, fields FROM {table}").fetchall():
                known = {name: value for name, value in json.loads(fields).items() if name not in later}
                connection.execute(
                    f"UPDATE {table} SET fields = ? WHERE id = ?", (json.dumps(known), case_id)
                )
    connection.close()
    older = [
        replace(record, case=replace(record.case, allocator="unstated"), usage=Usage(), samples_warmup=())
        for record in RECORDS
    ]
    assert Store(full.path.parent).records() == older
    assert all(record.case.id.endswith("/unstated") for record in older)


def test_what_a_call_used_is_an_average():
    row = frame_of(RECORDS[0]).iloc[0]
    names = "user_s", "system_s", "page_faults", "voluntary_switches", "involuntary_switches", "others_cores"
    assert [row[name] for name in names] == [2.0, 0.5, 3, 2, 0, 0.25]
    assert row["warmup_s"] == 12


def test_another_schema_is_refused(full):
    with sqlite3.connect(full.path) as connection:
        connection.execute("UPDATE about SET schema = 99")
    connection.close()
    with pytest.raises(UsageError, match="has schema 99"):
        Store(full.path.parent)


def test_every_planned_case_has_a_row_even_if_it_was_never_reached():
    cases = [record.case for record in RECORDS]
    table = frame.frame_of(cases, RECORDS[:1])
    assert list(table["status"]) == ["ok", "pruned", "pruned"]
    assert table["reason"][1] == "not reached: the run was interrupted"


def test_the_columns_are_those_of_the_contract():
    assert list(frame_of(*RECORDS).columns) == [column.name for column in COLUMNS]


def test_what_was_not_measured_is_empty_and_never_zero():
    row = frame_of(RECORDS[1]).iloc[0]
    assert all(math.isnan(row[name]) for name in ("time_s", "samples", "peak_bytes", "error", "compile_s"))


def test_the_frame_has_the_shortest_sample_and_tenths():
    row = frame_of(attention_record(samples=tuple(float(n) for n in range(11)))).iloc[0]
    assert (row["time_min_s"], row["time_p10_s"], row["time_p90_s"]) == (0, 1, 9)
    assert math.isnan(frame_of(RECORDS[1]).iloc[0]["time_min_s"])


def test_the_frame_says_when_the_last_measurement_of_a_case_was_over():
    times = "2026-12-01T04:00:00.000+00:00", "2026-12-01T03:00:00.000+00:00"
    records = [attention_record(replicate=n, ended=time) for n, time in enumerate(times)]
    assert frame.frame_of([records[0].case], records)["ended"].tolist() == [times[0]]


def test_the_frame_has_the_median_and_the_resolved_scale():
    row = frame_of(RECORDS[0]).iloc[0]
    assert (row["time_s"], row["time_hot_s"], row["samples"], row["scale"]) == (2, 0.5, 3, 0.3)
    assert frame_of(attention_record(dim_qk=64)).iloc[0]["scale"] == 1 / 8


def test_replicates_are_joined_and_the_worst_status_counts():
    records = [attention_record(samples=(1.0,)), attention_record(samples=(3.0,), replicate=1)]
    row = frame.frame_of([records[0].case], records).iloc[0]
    assert (row["time_s"], row["samples"], row["status"]) == (2, 2, "ok")
    crashed = attention_record(samples=(), status="crashed", replicate=2)
    row = frame.frame_of([crashed.case], [*records, crashed]).iloc[0]
    assert row["status"] == "crashed"
    assert math.isnan(row["time_s"])


def test_of_a_case_in_several_runs_the_last_counts(full, tmp_path):
    later = Store.create(tmp_path / "later", [RECORDS[0].case])
    later.add(attention_record("a", samples=(7.0,), position="sum", scale=0.3))
    table = frame.read_runs([full.path.parent, tmp_path / "later"])
    assert len(table) == 3
    assert table[table["implementation"] == "a"]["time_s"].item() == 7


def test_a_stored_problem_is_the_same_problem(full):
    assert full.records()[0].case.problem == Problem(
        height=16, width=16, block=8, halo=3, batch=2, heads=4, position="sum", scale=0.3
    )


def test_a_wrong_replicate_weighs_more_than_one_that_took_too_long():
    records = [
        attention_record(samples=(), status=status, replicate=place)
        for place, status in enumerate(("wrong", "timeout", "pruned"))
    ]
    assert frame.frame_of([records[0].case], records).iloc[0]["status"] == "wrong"


def test_a_case_that_a_later_run_did_not_reach_keeps_its_measurement(full, tmp_path):
    Store.create(tmp_path / "later", [RECORDS[0].case])
    assert frame.read_runs([full.path.parent, tmp_path / "later"])["time_s"][0] == 2


def test_of_joined_runs_a_later_failure_counts_and_the_run_is_named(tmp_path):
    for name, record in {
        "first": attention_record("a", samples=(1.0,)),
        "second": attention_record("a", samples=(), status="wrong", reason="out is off"),
    }.items():
        Store.create(tmp_path / name, [record.case]).add(record)
    (row,) = frame.read_runs([tmp_path / "first", tmp_path / "second"]).to_dict("records")
    assert (row["status"], row["run"]) == ("wrong", "second")


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_what_is_stored_is_json_whatever_the_error_is(full, error):
    full.add(replace(RECORDS[0], status="wrong", error=error))
    with sqlite3.connect(full.path) as connection:
        stored = [fields for (fields,) in connection.execute("SELECT fields FROM records")]
    connection.close()
    for fields in stored:
        json.loads(fields, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert full.records()[0].error is None


def test_a_failure_keeps_its_traceback_in_the_frame_too(full):
    full.add(
        replace(RECORDS[0], status="failed", reason="broken", traceback="Traceback (most recent call last):")
    )
    assert full.records()[0].traceback == "Traceback (most recent call last):"
    rows = frame.read_runs([full.path.parent]).set_index("case")
    assert rows.loc[RECORDS[0].case.id, "traceback"] == "Traceback (most recent call last):"


@pytest.mark.parametrize(
    "records", [[attention_record()], [model_record()], [attention_record(samples=(), status="oom")], []]
)
def test_the_types_of_a_file_do_not_depend_on_what_is_in_it(tmp_path, records):
    frame = with_metrics(frame_of(*records)).assign(run="one")
    frame.to_parquet(tmp_path / "results.parquet", schema=schema(frame.columns), index=False)
    found = pq.read_schema(tmp_path / "results.parquet")
    types = {field.name: str(field.type) for field in found}
    assert (types["model"], types["run"], types["traceback"]) == ("string", "string", "string")
    assert (types["time_s"], types["samples_s"], types["speedup"]) == (
        "double",
        "list<element: double>",
        "double",
    )
    assert {kind for name, kind in types.items() if name != "samples_s"} == {"string", "double"}
