"""From a spec to the page, on a machine in virtual time: what is shown is what the calls take, exactly."""

import sqlite3

import pyarrow.parquet as pq
import pytest
from fakes import PLENTY, costing
from rich.console import Console

from halobench.attention import Problem
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.case import AttentionCase
from halobench.deadline import NEVER, Deadline
from halobench.device.fake import FakeMachine, Noise
from halobench.measure.workload import Settings
from halobench.report.output import write
from halobench.results.frame import read_runs
from halobench.results.record import Record
from halobench.results.store import Store
from halobench.sweep import session
from halobench.sweep.command_line import repeating
from halobench.sweep.executors import process
from halobench.sweep.executors.in_process import InProcess
from halobench.sweep.executors.process import Processes
from halobench.sweep.plan import plan
from halobench.sweep.spec import spec

FAST_S, SLOW_S = 2e-3, 6e-3
RUN = {"seconds": 0.1}
PROBLEM = Problem(height=4, width=4, block=2, halo=1)


@pytest.fixture
def quiet():
    return Console(quiet=True)


@pytest.fixture
def measured(registered, tmp_path, quiet):
    """Measure `slow` and `fast` on a machine, and return the folder of the run."""

    def measure(machine, name="run", seconds=(SLOW_S, FAST_S), **axes):
        for each, cost in zip(("slow", "fast"), seconds, strict=True):
            registered(IMPLEMENTATIONS, each, costing(machine, each, cost))
        grid = {"implementation": ["slow", "fast"], "resolution": ["4", "8"], "block": [2], "halo": [1]}
        wanted = spec({"attention": [grid | axes]}, {}, RUN)
        store = session.start(tmp_path / name, plan(wanted).cases, wanted, ["sweep"])
        session.measure(store, wanted.run, quiet, lambda each, *_: InProcess(each, machine.process))
        return tmp_path / name

    return measure


def rows(folder):
    return read_runs([folder]).set_index(["implementation", "height"])


def test_a_run_says_what_the_calls_took(measured):
    frame = rows(measured(FakeMachine()))
    assert set(frame["status"]) == {"ok"}
    for name, seconds in (("slow", SLOW_S), ("fast", FAST_S)):
        of_name = frame.loc[name]
        for column in ("time_s", "time_low_s", "time_high_s", "host_s", "user_s"):
            assert of_name[column].to_list() == pytest.approx([seconds] * 2), column
        assert of_name["peak_bytes"].to_list() == [PLENTY] * 2
    assert (frame["others_cores"] == 0).all()


def test_a_queue_has_cold_and_hot_times_and_launches(measured):
    frame = rows(measured(FakeMachine(queue=True, launch_s=1e-4, cold=1.5)))
    assert frame.loc["fast", "time_s"].to_list() == pytest.approx([1.5 * FAST_S] * 2)
    assert frame.loc["fast", "time_hot_s"].to_list() == pytest.approx([FAST_S] * 2)
    assert frame.loc["fast", "host_s"].to_list() == pytest.approx([1e-4] * 2)


def test_a_case_that_asks_for_too_much_memory_is_a_row_and_so_are_those_it_prunes(registered, measured):
    machine = FakeMachine(memory_bytes=PLENTY - 1)
    frame = rows(measured(machine, threads=[1]))
    assert frame["status"].to_list() == ["oom", "oom", "pruned", "pruned"]
    assert frame["time_s"].isna().all()


def test_what_cannot_be_true_is_said(measured):
    """The same code on a machine whose products of matrices are slower than the calls would be."""
    assert set(rows(measured(FakeMachine(matrix_rate=1.0)))["status"]) == {"implausible"}


def test_a_throttled_machine_is_noted(measured):
    frame = rows(measured(FakeMachine(throttles_after_s=0.0, throttling=2.0)))
    assert frame.loc["fast", "time_s"].to_list() == pytest.approx([2 * FAST_S] * 2)
    assert frame["device_state"].str.contains("throttled").all()


def test_the_work_of_others_is_noted(measured):
    noise = Noise(burst=2.0, burst_s=0.01, burst_every_s=0.01)
    frame = rows(measured(FakeMachine(noise=noise, seed=1)))
    assert (frame["others_cores"] > 0).any()


def test_a_case_that_the_deadline_ends_has_no_record(monkeypatch):
    """It would be a timeout, though it had less than its time."""
    case = AttentionCase(implementation="a", direction="forward", problem=PROBLEM)
    limits = []

    def late(case, settings, timeout):
        limits.append(timeout)
        return Record(case=case, status="timeout", reason="no result")

    monkeypatch.setattr(process, "measure", late)
    for deadline, statuses in (
        (Deadline.after(0), []),
        (Deadline.after(50), ["timeout"]),
        (NEVER, ["timeout"]),
    ):
        records = list(Processes(Settings(), 120, deadline=deadline).measure([case]))
        assert [record.status for record in records] == statuses
    assert limits == [0, pytest.approx(50, abs=5), 120]


def test_what_is_missing_is_measured_on_resuming_and_nothing_else(measured, quiet):
    machine = FakeMachine()
    folder = measured(machine)
    first, *others = Store(folder).records()
    connection = sqlite3.connect(folder / "results.db")
    with connection:
        connection.execute("DELETE FROM records WHERE id = ?", (first.case.id,))
        connection.execute("DELETE FROM samples WHERE id = ?", (first.case.id,))
    connection.close()
    asked = []

    class Noted(InProcess):
        def measure(self, group):
            asked.extend(group)
            return super().measure(group)

    store, settings = session.resume(folder, ["sweep"])
    session.measure(store, settings, quiet, lambda each, *_: Noted(each, machine.process))
    assert asked == [first.case]
    again, *same = store.records()
    assert (again.case, again.status, same) == (first.case, "ok", others)


def test_the_page_and_the_tables_show_it(measured):
    folder = measured(FakeMachine())
    frame = write([folder], folder, repeating([folder]))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "fastest here: fast, on 2 of 2 problems; 3x over slow at 8x8" in page
    ratio = frame.pivot(index="height", columns="implementation", values="time_s")
    assert (ratio["slow"] / ratio["fast"]).to_list() == pytest.approx([3.0, 3.0])
    types = {field.name: str(field.type) for field in pq.read_schema(folder / "results.parquet")}
    assert (types["model"], types["image_size"], types["run"]) == ("string", "double", "string")
