"""What is said of a wrong result: where it is off, and which mistake gives it."""

from dataclasses import replace

import pytest
import torch

from halobench.attention import Problem, check, diagnosis, oracle

PROBLEM = Problem(
    height=12,
    width=16,
    block=4,
    halo=1,
    batch=2,
    heads=3,
    stride=2,
    position="sum",
    scale=0.3,
    position_scale=0.7,
)


@pytest.fixture(scope="module")
def asked():
    given = oracle.inputs(PROBLEM)
    return given, check.truth(PROBLEM, given)


def told(asked, attend):
    given, known = asked
    return str(check.judge(check.run(attend, PROBLEM, given, known.grad_out), PROBLEM, given, known))


MISTAKES = {
    "border zero": {"border": "zero"},
    "a scale of 1": {"scale": 1.0},
    "the default scale": {"scale": None},
    "offset compact": {"offset": "compact"},
    "a position scale of 1": {"position_scale": 1.0},
}


@pytest.mark.parametrize(("words", "fields"), MISTAKES.items(), ids=MISTAKES)
def test_a_common_mistake_is_named(asked, words, fields):
    def mistaken(q, k, v, position, problem):
        return oracle.attend(q, k, v, position, replace(problem, **fields)).to(q.dtype)

    assert told(asked, mistaken).endswith(f", as with {words}")


def test_what_lacks_the_position_the_halo_or_has_axes_exchanged_is_named(asked):
    def without_position(q, k, v, position, problem):
        out = oracle.attend(q, k, v, None, replace(problem, position="none")).to(q.dtype)
        return out + 0 * (position[0].sum() + position[1].sum())

    def without_halo(q, k, v, position, problem):
        small = replace(problem, halo=0)
        height, width = (
            table[3:10] for table in position
        )  # offsets of -3 to 3 among those of -6 to 6, in a window of 6
        return oracle.attend(q, k, v, (height, width), small).to(q.dtype)

    def exchanged(q, k, v, position, problem):
        return oracle.attend(q, k, v, position[::-1], problem).to(q.dtype)

    assert told(asked, without_position).endswith(", as with position none")
    assert told(asked, without_halo).endswith(", as with halo 0")
    assert told(asked, exchanged).endswith(", as with height and width of the position tables exchanged")


def right(q, k, v, position, problem):
    return oracle.attend(q, k, v, position, problem).to(q.dtype)


def test_one_wrong_place_is_said(asked):
    def spoilt(*args):
        out = right(*args)
        return out + torch.zeros_like(out).index_put(
            tuple(map(torch.tensor, (1, 2, 3, 2, 5))), torch.tensor(1.0)
        )

    said = told(asked, spoilt)
    assert "most at batch 1, head 2, query 3, 2, in block 1, 1 inside of 3 x 4" in said
    assert "as with" not in said


def test_a_block_at_the_edge_is_said_to_be_at_the_border(asked):
    def spoilt(*args):
        out = right(*args)
        out[0, 0, 0, 0, 0] += float("nan")
        return out

    assert "most at batch 0, head 0, query 0, 0, in block 0, 0 at the border of 3 x 4" in told(asked, spoilt)


@pytest.mark.parametrize(
    ("name", "place", "words"),
    [
        (
            "dk",
            (0, 1, 9, 4, 0),
            "most at batch 0, head 1, position 9, 4, in block 2, 1 at the border of 3 x 4",
        ),
        ("drel_width", (7, 0), "most in row 7 of 11"),
    ],
)
def test_a_wrong_gradient_is_said_though_the_output_is_right(asked, name, place, words):
    given, known = asked
    results = check.run(right, PROBLEM, given, known.grad_out)
    results[name][place] += 100
    said = str(check.judge(results, PROBLEM, given, known))
    assert said.startswith(f"{name} is off by")
    assert said.endswith(words)


def test_of_a_large_problem_the_map_that_was_looked_at_is_named():
    problem = Problem(height=256, width=256, block=8, halo=3, batch=2, heads=2)
    given = oracle.inputs(problem)
    known = check.truth(problem, given)
    assert not known.whole
    zero = oracle.attend(given.q[known.maps], given.k[known.maps], given.v[known.maps], None,
                         replace(problem, batch=1, heads=1, border="zero"), chosen=known.chosen)  # fmt: skip
    out = torch.zeros(problem.out_shape)
    out[known.maps] = zero.float()
    said = str(check.judge({"out": out}, problem, given, known))
    assert f"most at batch {known.maps[0].start}, head {known.maps[1].start}, query" in said
    assert said.endswith("as with border zero")


def test_a_right_result_has_nothing_to_explain(asked, monkeypatch):
    monkeypatch.setattr(diagnosis, "where", lambda *_: pytest.fail("explained"))
    given, known = asked
    assert check.judge(check.run(right, PROBLEM, given, known.grad_out), PROBLEM, given, known).right
