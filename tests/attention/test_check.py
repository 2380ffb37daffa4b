"""The judge is judged: it must see every fault, wherever it lies."""

import pytest
import torch

from halobench.attention import Problem, check, oracle
from halobench.attention.implementation import IMPLEMENTATIONS, Implementation

SMALL = Problem(height=6, width=6, block=2, halo=1, batch=2, heads=2, position="sum")
LARGE = Problem(height=64, width=64, block=8, halo=3, batch=4, heads=8)


def verdict(problem, change, *, backward=True):
    """Of a right implementation's results after a change."""
    given = oracle.inputs(problem)
    known = check.truth(problem, given)
    results = check.run(
        IMPLEMENTATIONS["haloed_blocked"].attend, problem, given, known.grad_out if backward else None
    )
    change(results)
    return check.judge(results, problem, given, known)


def test_a_right_one_is_right():
    assert verdict(SMALL, lambda results: None).right


@pytest.mark.parametrize("name", ["out", "dq", "dk", "dv", "drel_height", "drel_width"])
def test_a_fault_in_any_result_is_seen_and_named(name):
    found = verdict(SMALL, lambda results: results[name].mul_(1.001))
    assert not found.right
    assert str(found).startswith(f"{name} is off by")


def test_nan_is_wrong():
    found = verdict(SMALL, lambda results: results["dk"].fill_(float("nan")))
    assert not found.right
    assert found.error != found.error


def test_a_large_problem_is_checked_in_some_blocks_of_one_map():
    known = check.truth(LARGE, oracle.inputs(LARGE))
    assert known.exact["out"].shape[:2] == (1, 1)
    assert {(0, 0), (7, 7)} <= set(known.chosen)
    assert len(known.chosen) < 64
    assert known.grad_out.count_nonzero() == len(known.chosen) * 64 * LARGE.dim_v


def test_a_fault_in_a_checked_block_of_a_large_problem_is_seen():
    known = check.truth(LARGE, oracle.inputs(LARGE))
    maps = known.maps
    assert not verdict(LARGE, lambda results: results["out"][(*maps, 63, 63)].add_(1), backward=False).right


def test_a_hole_outside_the_checked_blocks_is_seen():
    assert not verdict(LARGE, lambda results: results["out"].fill_(float("nan")), backward=False).right


def test_a_gradient_that_leaks_into_another_map_is_seen():
    known = check.truth(LARGE, oracle.inputs(LARGE))
    other = (known.maps[0].start + 1) % LARGE.batch
    assert not verdict(LARGE, lambda results: results["dk"][other, 0, 0, 0].add_(1)).right


def test_the_bound_follows_the_dtype():
    bounds = {}
    for dtype in ("float64", "float32", "bfloat16"):
        problem = Problem(height=4, width=4, block=2, halo=1, dtype=dtype)
        bounds[dtype] = check.truth(problem, oracle.inputs(problem)).bounds["out"]
    assert bounds["float64"] < 1e-13 < bounds["float32"] < 1e-5 < 1e-3 < bounds["bfloat16"] < 0.2


class Lazy(torch.Tensor):
    """A tensor that may be computed when it is looked at."""


FORM = "torch.float32 (2, 2, 6, 6, 16)"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda out: out[:1], f"the output is torch.float32 (1, 2, 6, 6, 16), not {FORM}"),
        (torch.Tensor.double, f"the output is torch.float64 (2, 2, 6, 6, 16), not {FORM}"),
        (lambda out: out.as_subclass(Lazy), "the output is a Lazy, not a plain torch.Tensor"),
    ],
    ids=["shape", "dtype", "subclass"],
)
def test_another_form_of_the_output_is_wrong(change, said):
    found = verdict(SMALL, lambda results: results.update(out=change(results["out"])))
    assert not found.right
    assert str(found) == said


def test_one_that_changes_its_inputs_is_wrong_and_they_are_put_back():
    def scales(q, *others):
        out = oracle.attend(q, *others).to(q.dtype)
        q.detach().mul_(2)
        return out

    given = oracle.inputs(SMALL)
    before, known = given.clone(), check.truth(SMALL, given)
    forward_only = Implementation(
        "mine", scales, lambda problem, device, way: "none" if way != "forward" else None
    )
    assert str(check.examine(forward_only, SMALL, given, known)) == "it changes its inputs: q"
    assert check.changed(given, before) == []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(10))
def test_rounding_is_right_where_the_truth_is_zero(dtype, seed):
    problem = Problem(height=8, width=1, block=4, halo=1, position="sum", dtype=dtype)
    given = oracle.inputs(problem, seed=seed)
    known = check.truth(problem, given)
    assert known.exact["drel_width"].norm() < 1e-13  # one column: no weight depends on it
    assert check.examine(IMPLEMENTATIONS["unfold_local"], problem, given, known).right


def test_what_is_not_zero_there_is_wrong():
    problem = Problem(height=8, width=1, block=4, halo=1, position="sum")
    given = oracle.inputs(problem)
    known = check.truth(problem, given)
    results = check.run(IMPLEMENTATIONS["unfold_local"].attend, problem, given, known.grad_out)
    results["drel_width"][0] += 1e-3
    assert str(check.judge(results, problem, given, known)).startswith("drel_width is off by")


def test_where_the_truth_is_zero_errors_are_absolute():
    assert check.relative_error(torch.full((4,), 0.5), torch.zeros(4, dtype=torch.float64)) == 0.5
