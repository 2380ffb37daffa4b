from dataclasses import replace
from typing import NamedTuple

import pytest
import torch

from halobench.attention import Problem, autotune
from halobench.attention.implementation import IMPLEMENTATIONS, Implementation, runs_anywhere
from halobench.attention.oracle import attend
from halobench.case import AttentionCase, ModelCase
from halobench.device.fake import FakeTimes
from halobench.measure import model_workload
from halobench.measure.attention_workload import SETS
from halobench.measure.measurement import measure
from halobench.measure.stopping import StoppingCriterion
from halobench.measure.workload import Settings

PROBLEM = Problem(height=4, width=4, block=2, halo=1)
WARM_UP_S = 9.0  # longer than any budget here: one call
CASE = AttentionCase(implementation="one", direction="forward", problem=PROBLEM, threads=1)


class Tile(NamedTuple):
    size: int


def exact(q, k, v, position, problem):
    return attend(q, k, v, position, problem).to(q.dtype)


def raises(q, k, v, position, problem):
    raise RuntimeError("no such kernel\nand a long story")


def too_large(q, k, v, position, problem):
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 10 bytes")


def measured(registered, attend, *, unsupported=runs_anywhere, times=(1.0, 2.0, 3.0), case=CASE):
    entry = Implementation("one", attend, unsupported)
    registered(IMPLEMENTATIONS, "one", entry)
    stop = StoppingCriterion(min_samples=3, seconds=6)
    return measure(case, Settings(stop=stop), FakeTimes([WARM_UP_S, *times]))


def test_keeps_every_sample_in_order(registered):
    record = measured(registered, exact)
    assert (record.status, record.samples, record.samples_host) == ("ok", (1.0, 2.0, 3.0), (1.0, 2.0, 3.0))


def test_forward_and_backward_is_measured_too(registered):
    record = measured(registered, exact, case=replace(CASE, direction="forward_backward"))
    assert record.status == "ok"
    assert record.work.flop == PROBLEM.flop("forward_backward")


def test_a_wrong_result_is_not_timed(registered):
    record = measured(registered, lambda q, k, v, position, problem: v.clone(), times=())
    assert (record.status, record.samples) == ("wrong", ())
    assert record.reason.startswith("out is off by")


def test_a_wrong_gradient_is_not_timed(registered):
    def detached(q, k, v, position, problem):
        return exact(q, k.detach(), v, position, problem)

    case = replace(CASE, direction="forward_backward")
    assert measured(registered, detached, times=(), case=case).reason.startswith("dk is off by")


def test_trials_are_over_before_samples_are_taken_and_told_apart(registered, monkeypatch, tmp_path):
    monkeypatch.setenv(autotune.CACHE, str(tmp_path))
    monkeypatch.setattr(autotune, "_found", {})
    monkeypatch.setattr(autotune, "WARM_S", 0.0)
    trials = []

    def time(config):
        trials.append(config)
        return 1 / config.size

    def tuned(q, k, v, position, problem):
        autotune.chosen("one", ("here",), [Tile(32), Tile(64)], time)
        return exact(q, k, v, position, problem)

    registered(IMPLEMENTATIONS, "one", Implementation("one", tuned))
    stop = StoppingCriterion(min_samples=1, seconds=1)
    record = measure(CASE, Settings(stop=stop, autotune="off"), FakeTimes([WARM_UP_S, 1.0]))
    assert (record.status, record.config, record.tune_s, trials) == ("ok", "one size=32", 0.0, [])
    record = measure(CASE, Settings(stop=stop), FakeTimes([WARM_UP_S, 1.0]))
    assert (record.status, record.config) == ("ok", "one size=64")
    assert trials == [Tile(32), Tile(64)] * (1 + autotune.ROUNDS)
    assert record.tune_s > 0


def test_a_failure_is_a_record_of_one_line(registered):
    record = measured(registered, raises)
    assert (record.status, record.reason) == ("failed", "RuntimeError: no such kernel")
    assert record.traceback.startswith("Traceback (most recent call last):")


def test_a_lack_of_memory_has_a_status_of_its_own(registered):
    assert measured(registered, too_large).status == "oom"


def test_what_is_unsupported_says_why(registered):
    record = measured(registered, exact, unsupported=lambda *asked: "needs a GPU")
    assert (record.status, record.reason) == ("unsupported", "needs a GPU")


def test_the_first_call_is_not_among_the_samples(registered):
    calls = []

    def counted(*args):
        calls.append(torch.is_grad_enabled())
        return exact(*args)

    record = measured(registered, counted)
    first, gradients, *others = calls
    assert len(others) == 1 + len(record.samples) + 1  # warm-up, samples, memory
    assert gradients
    assert not any([first, *others])


def test_a_model_case_of_a_published_network_is_measured():
    case = ModelCase(model="timm/resnet26t", implementation="", direction="inference", image_size=64, batch=1)
    record = measure(case, Settings(stop=StoppingCriterion(seconds=1e-3, min_samples=1)))
    assert record.status == "ok", record.reason
    assert record.work.params == pytest.approx(16.01e6, rel=1e-3)


@pytest.mark.parametrize("direction", ["inference", "training"])
def test_our_own_network_is_checked_and_measured(direction):
    case = ModelCase(
        model="halonet_h0", implementation="haloed_chunked", direction=direction, image_size=64, batch=2
    )
    record = measure(case, Settings(stop=StoppingCriterion(seconds=1e-3, min_samples=1)))
    assert record.status == "ok", record.reason
    assert 0 < record.error < 1e-3
    assert record.peak_bytes > 0


def test_a_network_whose_attention_can_not_do_its_problems_is_unsupported(registered):
    entry = Implementation(
        "one", exact, lambda problem, device, direction: f"no {direction} at {problem.height}"
    )
    registered(IMPLEMENTATIONS, "one", entry)
    case = ModelCase(
        model="halonet_h0",
        implementation="one",
        direction="training",
        image_size=64,
        batch=1,
        dtype="bfloat16",
    )
    record = measure(case, Settings())
    assert (record.status, record.reason) == ("unsupported", "no forward_backward at 16")


def test_a_published_network_that_gives_nan_is_wrong(monkeypatch):
    monkeypatch.setattr(torch, "randn", lambda *shape, **kwargs: torch.full(shape, float("nan")))
    case = ModelCase(model="timm/resnet26t", implementation="", direction="inference", image_size=64, batch=1)
    record = measure(case, Settings())
    assert (record.status, record.samples) == ("wrong", ())


def test_cases_of_one_problem_share_what_the_oracle_said(registered, tmp_path, monkeypatch):
    registered(IMPLEMENTATIONS, "one", Implementation("one", exact))
    settings = Settings(stop=StoppingCriterion(min_samples=1, seconds=1), truths=tmp_path)
    first = measure(CASE, settings, FakeTimes([WARM_UP_S, 1.0]))
    known = list(tmp_path.iterdir())
    monkeypatch.setattr("halobench.attention.check.truth", lambda *args: pytest.fail("asked again"))
    again = measure(replace(CASE, direction="forward_backward"), settings, FakeTimes([WARM_UP_S, 1.0]))
    assert (first.status, again.status, len(known)) == ("ok", "ok", SETS)


def test_what_a_network_may_be_off_by_is_that_of_its_worst_images(monkeypatch):
    case = ModelCase(model="timm/resnet50", implementation="", direction="inference", image_size=64, batch=1)
    exact = [torch.ones(1, 1000, dtype=torch.float64)] * model_workload.SETS
    rounded = [torch.full((1, 1000), 1 + error) for error in (2.0**-18, 2.0**-15, 2.0**-17)]
    known = {torch.float64: exact, torch.float32: rounded}
    monkeypatch.setattr(model_workload, "_reference", lambda case, settings, dtype: known[dtype])
    _, bound = model_workload._known(case, Settings())
    assert bound == pytest.approx(10 * 2.0**-15, rel=1e-2)
