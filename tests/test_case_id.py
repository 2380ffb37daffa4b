import pytest
from hypothesis import given
from hypothesis import strategies as st

from halobench.case_id import EXAMPLES, parse
from halobench.problem import CHOICES, LAYOUTS, MODES, AttentionCase, ModelCase, Problem

count = st.integers(1, 99)
places = st.sampled_from(
    [{"device": "cpu", "threads": 1}, {"device": "cpu", "threads": 16}, {"device": "cuda"}]
)
chosen = {name: st.sampled_from(allowed) for name, allowed in CHOICES.items()}
problems = st.builds(
    lambda side, half, stride, more: Problem(block=side * stride, dim_qk=2 * half, stride=stride, **more),
    count,
    count,
    st.integers(1, 3),
    st.fixed_dictionaries(
        dict.fromkeys(("batch", "heads", "height", "width", "halo", "dim_v"), count)
        | {"scale": st.sampled_from([None, 1.0, 0.3]), "position_scale": st.sampled_from([1.0, 0.25, 1e-3])}
        | chosen
    ),
)


@given(problem=problems, layout=st.sampled_from(LAYOUTS), place=places)
def test_an_attention_case_is_read_back_from_its_id(problem, layout, place):
    case = AttentionCase(
        implementation="haloed_blocked", direction="forward_backward", problem=problem, layout=layout, **place
    )
    assert parse(case.id) == case


@given(
    inside=st.sampled_from(
        [("halonet_h0", "auto"), ("timm/halonet26t", "original"), ("timm/resnet50.a1_in1k", "")]
    ),
    asked=st.fixed_dictionaries(
        {
            "direction": st.sampled_from(["inference", "training"]),
            "image_size": st.integers(1, 2000),
            "batch": count,
            "mode": st.sampled_from(MODES),
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
    with pytest.raises(ValueError, match=r"is not the id of a case, such as haloed_blocked/forward/"):
        parse(text)


def test_what_an_id_asks_for_must_be_possible():
    with pytest.raises(ValueError, match="border must be one of mask, zero, not 'wrap'"):
        parse(EXAMPLES[0].replace("mask", "wrap"))
