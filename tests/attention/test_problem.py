import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from halobench.attention import Problem
from halobench.case import AttentionCase, ModelCase

sides = st.integers(1, 9)


def brute_force_pairs(problem: Problem) -> int:
    """Count by looking at every query and every position of one map."""
    pairs = 0
    for query_y in range(0, problem.height, problem.stride):
        for query_x in range(0, problem.width, problem.stride):
            for key_y in range(problem.height):
                for key_x in range(problem.width):
                    pairs += all(
                        -problem.halo
                        <= key - query // problem.block * problem.block
                        < problem.block + problem.halo
                        for query, key in ((query_y, key_y), (query_x, key_x))
                    )
    return pairs


@given(height=sides, width=sides, side=st.integers(1, 3), stride=st.integers(1, 3), halo=st.integers(0, 20))
def test_pairs_are_those_of_the_definition(height, width, side, stride, halo):
    problem = Problem(
        height=height, width=width, block=side * stride, stride=stride, halo=halo, batch=2, heads=3
    )
    assert problem.pairs() == 6 * brute_force_pairs(problem)


@given(height=sides, width=sides, block=st.integers(1, 4), halo=st.integers(0, 5))
def test_slots_are_whole_blocks_times_whole_windows(height, width, block, halo):
    problem = Problem(height=height, width=width, block=block, halo=halo)
    blocks = -(-height // block) * -(-width // block)
    assert problem.slots() == blocks * block**2 * (block + 2 * halo) ** 2
    assert problem.slots() >= problem.pairs()


def test_flop_and_bytes_of_one_block_by_hand():
    problem = Problem(height=4, width=4, block=4, halo=1, dim_qk=8, dim_v=2, position="sum")
    pairs, queries, window, table = 16 * 16, 16, 6, 11
    assert problem.flop() == 2 * pairs * (8 + 2) + 4 * queries * window * 8
    assert problem.flop("forward_backward") == 3 * problem.flop()
    inputs, output = 16 * 8 + 16 * 8 + 16 * 2 + 2 * table * 8, 16 * 2
    assert problem.min_bytes() == 4 * (inputs + output)
    again = 16 * (8 + 8 + 2)
    assert problem.min_bytes("forward_backward") == 4 * (2 * (inputs + output) + again)


def test_executed_flop_follow_the_given_slots():
    problem = Problem(height=4, width=4, block=4, halo=1, dim_qk=8, dim_v=2)
    assert problem.flop(slots=1000) == 2 * 1000 * 10


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"stride": 3}, "stride 3 does not divide block 4", id="stride"),
        pytest.param({"halo": -1}, "halo must be 0 or more, not -1", id="negative halo"),
        pytest.param({"block": 0}, "block must be 1 or more, not 0", id="no block"),
        pytest.param({"dtype": "int8"}, "dtype must be one of float32, .*, not 'int8'", id="unknown dtype"),
        pytest.param({"position": "split", "dim_qk": 5}, "split halves dim_qk, and 5 is odd", id="odd split"),
    ],
)
def test_impossible_problem(fields, message):
    with pytest.raises(ValueError, match=message):
        Problem(**{"height": 4, "width": 4, "block": 4, "halo": 1, **fields})


def test_the_id_of_a_case_leaves_defaults_out():
    problem = Problem(height=8, width=6, block=4, halo=1)
    case = AttentionCase(implementation="a", direction="forward", problem=problem, threads=2)
    assert case.id == "a/forward/1x1x8x6d16/b4h1/mask/none/float32/cpu2"


@pytest.mark.parametrize(
    "fields",
    [
        {"stride": 2}, {"border": "zero"}, {"position": "sum"}, {"offset": "compact"}, {"scale": 0.5},
        {"position_scale": 2.0}, {"dtype": "float16"}, {"dim_v": 8}, {"batch": 2}, {"heads": 2},
    ],
    ids=str,
)  # fmt: skip
def test_every_field_of_a_problem_is_in_the_id(fields):
    base = {"height": 8, "width": 8, "block": 4, "halo": 1}
    ids = {
        AttentionCase(implementation="a", direction="forward", problem=Problem(**base | more)).id
        for more in ({}, fields)
    }
    assert len(ids) == 2


def test_the_id_of_a_model_case():
    case = ModelCase(model="timm/resnet50", implementation="", direction="training", image_size=224, batch=2)
    assert case.id == "timm/resnet50/training/2x224px/float32/cpu1"


def test_bytes_per_element_are_torchs():
    for name in ("float32", "float16", "bfloat16", "float64"):
        problem = Problem(height=1, width=1, block=1, halo=0, dim_qk=1, dim_v=1, dtype=name)
        assert problem.min_bytes() == 4 * getattr(torch, name).itemsize


def test_a_scale_that_is_the_default_is_no_other_problem():
    assert Problem(height=4, width=4, block=2, halo=1, dim_qk=16, scale=0.25) == Problem(
        height=4, width=4, block=2, halo=1, dim_qk=16
    )
