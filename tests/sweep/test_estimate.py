"""Guesses of how long cases take: what bounds them, and what they grow with."""

from dataclasses import replace

import pytest
from cases import attention_record, model_record

from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.sweep import estimate

CASE = attention_record("haloed_blocked").case


def test_a_quick_case_takes_its_samples_and_a_process():
    assert 1.0 < estimate.of_case(CASE, 1.0) < 1.5


def test_a_slow_case_ends_when_patience_does():
    huge = replace(CASE, implementation="naive_global", problem=replace(CASE.problem, height=512, width=512))
    call_s = huge.problem.flop(slots=2 * 4 * 512**4) / (2 * estimate.RATE_OF_A_CORE["attention"])
    assert estimate.of_case(huge, 0.1) == pytest.approx(0.15 + 0.6 + 3 * call_s)


def test_what_is_unsupported_takes_next_to_nothing():
    masked = attention_record("timm_halo", border="mask").case
    assert estimate.of_case(masked, 1.0) < 0.5


def test_compiling_is_counted_a_pass():
    forward, both = (
        attention_record("haloed_compiled", direction=name).case for name in ("forward", "forward_backward")
    )
    assert (
        estimate.of_case(both, 0.1) - estimate.of_case(forward, 0.1)
        > 0.9 * IMPLEMENTATIONS["haloed_compiled"].compile_s
    )


def test_a_network_takes_longer_with_more_images():
    one, four = (model_record("timm/resnet50", "", image_size=224, batch=batch).case for batch in (1, 4))
    assert estimate.of_case(four, 0.1) > 2 * estimate.of_case(one, 0.1)


def test_a_plan_takes_what_its_cases_take():
    assert estimate.seconds([CASE, CASE], 0.3) == 2 * estimate.of_case(CASE, 0.3)
