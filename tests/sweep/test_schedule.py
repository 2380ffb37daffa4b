"""The order of a sweep and what it leaves out, on the fake machine."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fakes import costing

from halobench.attention import Problem
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.case import AttentionCase
from halobench.deadline import Deadline
from halobench.device.fake import FakeMachine
from halobench.measure.stopping import StoppingCriterion
from halobench.measure.workload import Settings
from halobench.results.record import Record
from halobench.sweep.executors.in_process import InProcess
from halobench.sweep.schedule import run

SETTINGS = Settings(stop=StoppingCriterion(seconds=1e-2, min_samples=3))
KIB = 2**10


@pytest.fixture
def machine(registered):
    """A machine with 64 MiB, and `a`, `b` and `c`, whose calls take a MiB for a position of the map."""
    machine = FakeMachine(memory_bytes=64 * KIB**2)
    for name in "abc":
        entry = costing(machine, name, 1e-3, lambda problem: problem.height * problem.width * KIB**2)
        registered(IMPLEMENTATIONS, name, entry)
    return machine


def case(side, name="a"):
    problem = Problem(height=side, width=side, block=2, halo=1)
    return AttentionCase(implementation=name, direction="forward", problem=problem)


def measured(machine, plan, **options):
    return list(run(plan, InProcess(SETTINGS, machine.process), **options))


def test_what_is_larger_than_too_large_is_pruned(machine):
    records = measured(machine, [case(4), case(10), case(12), case(8, "b")])
    assert [record.status for record in records] == ["ok", "oom", "pruned", "ok"]
    assert records[2].reason == f"{case(10).id} was too large"
    assert records[2].work.flop == case(12).problem.flop()


def test_replicates_go_round_the_plan_with_the_implementations_of_a_problem_side_by_side(machine):
    plan = [case(side, name) for side in (4, 8) for name in "abc"]
    order = [(record.replicate, record.case) for record in measured(machine, plan, replicates=4)]
    assert [(replicate, case.problem.height) for replicate, case in order] == [
        (replicate, side) for replicate in range(4) for side in (4, 8) for _ in "abc"
    ]
    rounds = [[case.implementation for _, case in order[i : i + 3]] for i in range(0, 24, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len({tuple(names) for names in rounds}) > 1


def test_what_was_too_large_once_is_so_in_every_replicate(machine):
    once, again = measured(machine, [case(10)], replicates=2)
    assert (once.replicate, again.replicate) == (0, 1)
    assert once.status == again.status == "oom"
    assert once.reason == again.reason != ""
    assert once.ended <= again.ended <= datetime.now(UTC).isoformat(timespec="milliseconds")


def test_what_was_measured_before_is_not_measured_again(machine):
    before = [Record(case=case(8), status="oom"), Record(case=case(4), status="ok")]
    records = measured(machine, [case(4), case(8), case(16)], before=before)
    assert [(record.case, record.status) for record in records] == [(case(16), "pruned")]
    assert machine.now_s == 0


def test_another_implementation_or_direction_is_not_larger(machine):
    other = replace(case(10), direction="forward_backward")
    assert [record.status for record in measured(machine, [case(10), other])] == ["oom", "oom"]


def test_after_the_deadline_no_case_is_begun(machine):
    assert measured(machine, [case(4), case(8)], deadline=Deadline.after(0)) == []
    assert machine.now_s == 0


@pytest.mark.parametrize(
    ("field", "prunes"),
    [
        *((name, True) for name in ("batch", "heads", "height", "width", "dim_qk", "dim_v")),
        *((name, False) for name in ("block", "halo")),  # a larger block may need less
    ],
)
def test_more_of_a_size_is_not_tried_after_too_much(machine, field, prunes):
    first = case(10)
    larger = replace(first.problem, **{field: 2 * getattr(first.problem, field)})
    _, second = measured(machine, [first, replace(first, problem=larger)])
    assert (second.status == "pruned") == prunes
