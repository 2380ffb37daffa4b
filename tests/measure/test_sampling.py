"""What is found out about calls after the first, and how samples are taken."""

import random
import threading
import time

import pytest
import torch

from halobench.attention import Problem
from halobench.attention.implementation import IMPLEMENTATIONS, Implementation
from halobench.attention.oracle import attend
from halobench.case import AttentionCase
from halobench.device.cpu import Cpu
from halobench.device.fake import FakeClock
from halobench.device.usage import Usage
from halobench.measure.measurement import measure
from halobench.measure.sampling import copied, take, warm_up
from halobench.measure.stopping import StoppingCriterion
from halobench.measure.workload import Judged, PreparedCase, Settings

PROBLEM = Problem(height=4, width=4, block=2, halo=1)
CASE = AttentionCase(implementation="one", direction="forward", problem=PROBLEM)


def exact(q, k, v, position, problem):
    return attend(q, k, v, position, problem).to(q.dtype)


def measured(registered, attend, *unsupported):
    """By the machine's own clock, for a few hundredths of a second."""
    registered(IMPLEMENTATIONS, "one", Implementation("one", attend, *unsupported))
    return measure(CASE, Settings(stop=StoppingCriterion(seconds=0.03)))


@pytest.mark.parametrize("number", [2, 3, 9])
def test_zeros_from_a_later_call_on_are_wrong(registered, number):
    calls = []

    def tires(*given):
        calls.append(1)
        return exact(*given) * (len(calls) < number)

    record = measured(registered, tires)
    assert (record.status, record.samples) == ("wrong", ())


def test_results_kept_by_the_address_of_the_inputs_are_wrong(registered):
    known = {}

    def keeps(q, k, v, position, problem):
        if q.requires_grad:
            return exact(q, k, v, position, problem)
        if q.data_ptr() not in known:
            known[q.data_ptr()] = exact(q, k, v, position, problem)
        return known[q.data_ptr()].clone()

    record = measured(registered, keeps)
    assert record.reason.startswith("out is off by")
    assert record.reason.endswith("in one of the calls after the first")


def test_results_kept_by_the_version_of_the_inputs_are_implausible(registered):
    known = {}

    def keeps(q, k, v, position, problem):
        if q.requires_grad:
            return exact(q, k, v, position, problem)
        key = q.data_ptr(), q._version
        if key not in known:
            known[key] = exact(q, k, v, position, problem)
        return known[key]

    record = measured(registered, keeps)
    assert (record.status, record.reason[:24]) == ("implausible", "a call held 0 B of torch")


def test_what_a_thread_writes_after_the_return_is_too_late(registered):
    def late(*given):
        out = exact(*given)
        if given[0].requires_grad:
            return out
        promised = torch.zeros_like(out)
        threading.Thread(target=lambda: time.sleep(0.05) or promised.copy_(out)).start()
        return promised

    assert measured(registered, late).status == "wrong"


def test_one_that_changes_its_inputs_is_wrong(registered):
    def scales(q, *others):
        out = exact(q, *others)
        q.detach().mul_(0.5)
        return out

    assert measured(registered, scales).reason == "it changes its inputs: q"


def test_a_wrong_gradient_is_wrong_in_a_forward_case_too(registered):
    record = measured(registered, lambda q, k, v, *others: exact(q, k.detach() + 0 * k, v, *others))
    assert (record.status, record.reason[:9]) == ("wrong", "dk is off")


def test_one_without_gradients_must_say_so(registered):
    def without(q, k, v, *others):
        return exact(q.detach(), k.detach(), v.detach(), *others)

    def says_so(problem, device, direction):
        return None if direction == "forward" else "no backward pass"

    assert measured(registered, without).reason.startswith("it has no gradients, and does not say")
    assert measured(registered, without, says_so).status == "ok"


def given(times):
    """A device and a clock that answers with these times."""
    return Cpu(), FakeClock(times)


def ready(judge, sets=3):
    """A case whose call gives the number of the set it is made on."""
    written = []
    return PreparedCase(
        call=lambda: torch.tensor(written[-1]),
        first=lambda: (0.0, Judged()),
        write=written.append,
        judge=judge,
        sets=sets,
    )


def test_every_slice_is_on_the_next_set_of_inputs_and_the_last_one_is_judged():
    judged = []

    def judge(turn, result):
        judged.append((turn, int(result)))
        return Judged()

    taken = take(
        ready(judge), *given([1.0] * 8), StoppingCriterion(min_samples=8, seconds=8), random.Random(0)
    )
    assert [sample.device_s for sample in taken.samples] == [1.0] * 8
    assert taken.usage.calls == 8
    assert judged[-1] == (8 % 3, 8 % 3)
    assert all(turn == result for turn, result in judged)


@pytest.mark.parametrize("seed", range(20))
def test_the_call_that_is_drawn_is_on_other_inputs_than_the_first(seed):
    judged = []
    case = ready(lambda turn, result: judged.append(turn) or Judged())
    take(case, *given([1.0] * 9), StoppingCriterion(min_samples=9, seconds=9), random.Random(seed))
    *drawn, last = judged
    assert last == 0  # the ninth slice is on set 0 again
    assert drawn
    assert 0 not in drawn


def test_one_that_is_found_wrong_is_not_called_again():
    case = ready(lambda turn, result: Judged(wrong="off"))
    taken = take(case, *given([1.0]), StoppingCriterion(min_samples=9), random.Random(0))
    assert (taken.judged.wrong, len(taken.samples)) == ("off", 1)


def test_a_slice_of_short_calls_begins_with_one_that_is_not_timed():
    written, calls = [], []
    case = PreparedCase(lambda: calls.append(1), lambda: (0.0, Judged()), written.append, lambda *_: Judged())
    taken = take(
        case, *given([1e-3] * 90), StoppingCriterion(min_samples=40, max_samples=40), random.Random(0)
    )
    assert 3 < len(written) < 20
    assert len(calls) == len(taken.samples) + len(written) - 1  # the first slice is one timed call


def test_others_never_used_less_than_nothing():
    """The system counts in steps: what it tells of others can go back a little."""

    class Steps(Cpu):
        told = [Usage(wall_s=1.0, others_s=5.0), Usage(wall_s=3.0, others_s=4.99)]  # noqa: RUF012  of one test

        def others(self):
            return self.told.pop(0)

    stop = StoppingCriterion(min_samples=8, seconds=8)
    taken = take(ready(lambda *_: Judged()), Steps(), FakeClock([1.0] * 8), stop, random.Random(0))
    assert (taken.usage.wall_s, taken.usage.others_s) == (2.0, 0.0)


def test_the_warm_up_ends_where_three_calls_in_a_row_are_no_faster():
    times = [9.0, 5.0, 3.0, 2.99, 3.1, 3.0, 7.0]
    warm = warm_up(lambda: None, FakeClock(times), seconds=1000)
    assert [sample.device_s for sample in warm] == times[:6]


def test_the_warm_up_has_an_end_where_calls_get_ever_faster():
    times = [2.0**-place for place in range(10)]
    warm = warm_up(lambda: None, FakeClock(times), seconds=1.8)
    assert [sample.device_s for sample in warm] == [1.0, 0.5, 0.25, 0.125]


def test_a_copy_stays_as_the_result_was():
    x = torch.ones(2)
    kept = copied({"out": x})
    x.zero_()
    assert kept["out"].tolist() == [1, 1]
