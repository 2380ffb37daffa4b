from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halobench.attention import Problem, attention
from halobench.attention.implementation import RESERVED
from halobench.attention.problem import CHOICES
from halobench.axes import Layout, Mode
from halobench.case import EXAMPLES, AttentionCase, ModelCase, parse
from halobench.errors import UsageError

count = st.integers(1, 99)
finite = st.floats(allow_nan=False, allow_infinity=False)
places = st.fixed_dictionaries(
    {
        "device": st.sampled_from(["cpu", "cuda"]),
        "threads": st.integers(1, 64),
        "allocator": st.sampled_from(["steady", "pooled", "fresh", "unstated", "jemalloc"]),
    }
)
chosen = {name: st.sampled_from(allowed) for name, allowed in CHOICES.items()}
problems = st.builds(
    lambda side, half, stride, more: Problem(block=side * stride, dim_qk=2 * half, stride=stride, **more),
    count,
    count,
    st.integers(1, 3),
    st.fixed_dictionaries(
        dict.fromkeys(("batch", "heads", "height", "width", "halo", "dim_v"), count)
        | {"scale": st.none() | finite, "position_scale": st.just(1.0) | finite}
        | chosen
    ),
)


directions = st.sampled_from(["forward", "forward_backward"])
names = st.from_regex(r"[A-Za-zäµ0-9_]+", fullmatch=True).filter(lambda name: name not in RESERVED)
attention_cases = st.builds(
    lambda place, **asked: AttentionCase(**asked, **place),
    places,
    implementation=names,
    direction=directions,
    problem=problems,
    layout=st.sampled_from(get_args(Layout)),
)


@given(attention_cases)
def test_an_attention_case_is_read_back_from_its_id(case):
    assert parse(case.id) == case


@given(attention_cases, st.data())
def test_two_cases_that_differ_in_anything_have_two_ids(case, data):
    name = data.draw(st.sampled_from(["scale", "position_scale"]))
    other = replace(case, problem=replace(case.problem, **{name: data.draw(finite)}))
    assert (other.id == case.id) == (other == case)


@pytest.mark.parametrize(("one", "other"), [(0.1234567, 0.12345671), (1 / 3, 0.333333)])
def test_scales_that_differ_in_a_late_digit_have_two_ids(one, other):
    first, second = (
        AttentionCase(
            implementation="haloed_blocked",
            direction="forward",
            problem=Problem(height=4, width=4, block=2, halo=1, scale=scale),
        )
        for scale in (one, other)
    )
    assert first.id != second.id
    assert [parse(case.id).problem.scale for case in (first, second)] == [one, other]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["scale", "position_scale"])
def test_a_scale_is_finite(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a finite number, not {value}"):
        Problem(height=4, width=4, block=2, halo=1, **{name: value})


@pytest.mark.parametrize("name", ["a/b", "two words", "", "auto", "all", "original", "forward", "training"])
def test_a_name_that_would_spoil_an_id_is_refused_where_it_is_registered(name):
    with pytest.raises(ValueError, match="an implementation's name is letters, digits and _"):
        attention(name)


@given(
    inside=st.sampled_from(
        [("halonet_h0", "auto"), ("timm/halonet26t", "original"), ("timm/resnet50.a1_in1k", "")]
    ),
    asked=st.fixed_dictionaries(
        {
            "direction": st.sampled_from(["inference", "training"]),
            "image_size": st.integers(1, 2000),
            "batch": count,
            "mode": st.sampled_from(get_args(Mode)),
            "layout": st.sampled_from(["nchw", "channels_last"]),
            "dtype": chosen["dtype"],
        }
    ),
    place=places,
)
def test_a_model_case_is_read_back_from_its_id(inside, asked, place):
    model, implementation = inside
    case = ModelCase(model=model, implementation=implementation, **asked, **place)
    assert parse(case.id) == case


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_are_ids(text):
    assert parse(text).id == text


@pytest.mark.parametrize("text", ["", "halonet_h0", "haloed_blocked/forward/2x4x64x64d16", "a/b/c/d/e/f/g"])
def test_what_is_no_id_is_answered_with_examples(text):
    with pytest.raises(UsageError, match=r"is not the id of a case, such as haloed_blocked/forward/"):
        parse(text)


def test_what_an_id_asks_for_must_be_possible():
    with pytest.raises(ValueError, match="border must be one of mask, zero, not 'wrap'"):
        parse(EXAMPLES[0].replace("mask", "wrap"))
