"""The oracle is judged by what was written down by hand, and by a loop over single numbers."""

import itertools
import math

import pytest
import torch

from halobench.attention import Problem, oracle


def attend(problem: Problem, q, k, v, position=None):
    q, k, v = (torch.tensor(x, dtype=torch.float64) for x in (q, k, v))
    return oracle.attend(
        q.view(problem.q_shape), k.view(problem.k_shape), v.view(problem.v_shape), position, problem
    )


def line(width: int, **fields) -> Problem:
    return Problem(**{"height": 1, "width": width, "block": 1, "halo": 0, "dim_qk": 1, "dim_v": 1, **fields})


def test_equal_keys_give_the_mean_of_the_window_inside_the_map():
    out = attend(line(4, halo=1), [1.0] * 4, [1.0] * 4, [0.0, 6, 12, 24])
    assert out.flatten().tolist() == pytest.approx([3, 6, 14, 18])


def test_with_border_zero_slots_outside_take_weight():
    out = attend(line(4, halo=1, border="zero"), [0.0] * 4, [1.0] * 4, [0.0, 6, 12, 24])
    nine = [(0 + 6) / 9, (0 + 6 + 12) / 9, (6 + 12 + 24) / 9, (12 + 24) / 9]  # a window has 3 x 3 slots
    assert out.flatten().tolist() == pytest.approx(nine)


def test_queries_of_a_block_share_its_window():
    out = attend(line(4, block=2, halo=1), [0.0] * 4, [0.0] * 4, [3.0, 6, 9, 12])
    assert out.flatten().tolist() == pytest.approx([6, 6, 9, 9])


def test_a_cut_off_block_sees_what_is_there():
    out = attend(line(3, block=2), [0.0] * 3, [0.0] * 3, [3.0, 6, 9])
    assert out.flatten().tolist() == pytest.approx([4.5, 4.5, 9])


def test_strided_queries_keep_the_window_of_their_block():
    out = attend(line(4, block=2, stride=2), [0.0] * 2, [0.0] * 4, [3.0, 6, 9, 12])
    assert out.flatten().tolist() == pytest.approx([4.5, 10.5])


def test_the_weight_of_a_logit_is_its_exponential():
    out = attend(line(2, block=2, scale=math.log(3)), [1.0, 0], [0.0, 1], [0.0, 4])
    assert out.flatten().tolist() == pytest.approx([3, 2])  # weights 1/4 and 3/4, then a half each


def by_single_numbers(given: oracle.Inputs, problem: Problem) -> torch.Tensor:
    """The definition once more, a slot at a time."""
    out = torch.zeros(problem.out_shape, dtype=torch.float64)
    for b, h, y, x in itertools.product(*map(range, problem.q_shape[:4])):
        out[b, h, y, x] = _one_query(given, problem, (b, h, y, x))
    return out


def _one_query(given, problem, at):
    b, h, y, x = at
    q = given.q[at].double()
    total, values = 0.0, torch.zeros(problem.dim_v, dtype=torch.float64)
    for j_y, j_x in itertools.product(range(problem.window), repeat=2):
        key_y = y // problem.side * problem.block - problem.halo + j_y
        key_x = x // problem.side * problem.block - problem.halo + j_x
        inside = 0 <= key_y < problem.height and 0 <= key_x < problem.width
        if not inside and problem.border == "mask":
            continue
        logit = problem.logit_scale * (q @ given.k[b, h, key_y, key_x].double()) if inside else 0.0
        weight = math.exp(logit + problem.position_scale * _relative(given, problem, q, (y, j_y), (x, j_x)))
        total += weight
        if inside:
            values += weight * given.v[b, h, key_y, key_x].double()
    return values / total


def _relative(given, problem, q, along_y, along_x):
    if given.position is None:
        return 0.0
    step = problem.stride if problem.offset == "exact" else 1
    row_y, row_x = (j - step * (at % problem.side) + problem.window - 1 for at, j in (along_y, along_x))
    height, width = given.position[0][row_y].double(), given.position[1][row_x].double()
    if problem.position == "split":
        return float(q[: problem.dim_rel] @ height + q[problem.dim_rel :] @ width)
    return float(q @ height + q @ width)


@pytest.mark.parametrize("border", ["mask", "zero"])
@pytest.mark.parametrize("position", ["none", "sum", "split"])
@pytest.mark.parametrize(("stride", "offset"), [(1, "exact"), (2, "exact"), (2, "compact")])
def test_it_is_the_definition(border, position, stride, offset):
    problem = Problem(
        height=5, width=4, block=2, halo=1, stride=stride, offset=offset, border=border, position=position,
        dim_qk=4, dim_v=3, position_scale=0.7,
    )  # fmt: skip
    given = oracle.inputs(problem)
    actual = oracle.attend(given.q, given.k, given.v, given.position, problem)
    torch.testing.assert_close(actual, by_single_numbers(given, problem), rtol=1e-12, atol=1e-12)


def test_blocks_that_were_not_chosen_are_zero():
    problem = Problem(height=4, width=4, block=2, halo=1)
    given = oracle.inputs(problem)
    whole = oracle.attend(given.q, given.k, given.v, None, problem)
    part = oracle.attend(given.q, given.k, given.v, None, problem, chosen=[(0, 1)])
    assert torch.equal(part[:, :, :2, 2:], whole[:, :, :2, 2:])
    assert part.count_nonzero() == part[:, :, :2, 2:].numel()


@pytest.mark.parametrize("layout", ["bhyxd", "channels_last", "nchw"])
def test_inputs_follow_the_seed_and_not_the_layout(layout):
    problem = Problem(height=3, width=2, block=1, halo=1, heads=2, position="sum")
    plain, other = oracle.inputs(problem, seed=3), oracle.inputs(problem, layout=layout, seed=3)
    assert all(torch.equal(plain.tensors[name], other.tensors[name]) for name in plain.tensors)
    assert not torch.equal(plain.q, oracle.inputs(problem, seed=4).q)


def test_layouts_are_those_of_maps():
    problem = Problem(height=3, width=2, block=1, halo=1, heads=2, dim_qk=5)
    nchw, last = (oracle.inputs(problem, layout=layout).q for layout in ("nchw", "channels_last"))
    assert nchw.permute(0, 1, 4, 2, 3).is_contiguous()
    assert last.permute(0, 2, 3, 1, 4).is_contiguous()
