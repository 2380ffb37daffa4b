"""What a wrapper of others' code does to its inputs is timed for itself."""

from dataclasses import replace

import pytest
from cases import frame_of

from halobench.attention import Problem
from halobench.attention.implementation import IMPLEMENTATIONS, Implementation
from halobench.attention.oracle import attend
from halobench.case import AttentionCase
from halobench.device.cpu import Cpu
from halobench.device.fake import FakeTimes
from halobench.measure.attention_workload import prepare
from halobench.measure.measurement import measure
from halobench.measure.stopping import StoppingCriterion
from halobench.measure.workload import Settings

PROBLEM = Problem(height=4, width=4, block=2, halo=1, position="sum")


class Wrapper:
    """Of the oracle: keeps what its adapt was called with."""

    def __init__(self):
        self.seen = []

    def adapt(self, q, k, v, position, problem):
        self.seen.append(q.requires_grad)
        return q * 1, k, position[0] * 1

    def attend(self, q, k, v, position, problem):
        return attend(q, k, v, position, problem).to(q.dtype)


@pytest.fixture
def wrapper(registered):
    wrapper = Wrapper()
    entry = Implementation("wrapper", wrapper.attend, adapt=wrapper.adapt)
    registered(IMPLEMENTATIONS, "wrapper", entry)
    return wrapper


def case(direction="forward"):
    return AttentionCase(implementation="wrapper", direction=direction, problem=PROBLEM, threads=1)


def test_it_is_measured_after_the_samples_and_stored(wrapper):
    warm, times = 99.0, (5.0, 6.0, 7.0, *(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0))
    stop = StoppingCriterion(min_samples=3, seconds=18)
    record = measure(case(), Settings(stop=stop), FakeTimes((warm, *times)))
    assert (record.samples, record.samples_adapt) == (times[:3], times[3:])
    assert frame_of(record)["adapt_s"].tolist() == [4.0]


@pytest.mark.parametrize(("direction", "learns"), [("forward", False), ("forward_backward", True)])
def test_its_backward_pass_counts_where_there_is_one(wrapper, direction, learns):
    ready = prepare(case(direction), Settings(), Cpu())
    wrapper.seen.clear()
    ready.adapt()
    assert wrapper.seen == [learns]


def test_what_needs_no_other_form_has_none():
    plain = AttentionCase(implementation="haloed_blocked", direction="forward", problem=PROBLEM, threads=1)
    assert prepare(plain, Settings(), Cpu()).adapt is None


def test_views_of_the_inputs_are_no_work():
    fields = {"direction": "forward", "layout": "nchw", "threads": 1}
    given = AttentionCase(implementation="timm_halo", problem=replace(PROBLEM, border="zero"), **fields)
    assert prepare(given, Settings(), Cpu()).adapt() is None


@pytest.mark.parametrize("name", sorted(IMPLEMENTATIONS.keys() & {"timm_halo", "lucidrains_halo", "natten"}))
def test_wrappers_of_others_code_tell_their_copies(name):
    assert IMPLEMENTATIONS[name].adapt is not None
