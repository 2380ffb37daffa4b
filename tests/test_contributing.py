"""The worked example of CONTRIBUTING.md is an implementation like any other."""

import re
from pathlib import Path

import pytest

from halobench.attention import check, oracle
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.attention.problem_sets import PROBLEMS

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture
def tile_loop():
    example = re.search(r"```python\n(.*?@attention.*?)```", TEXT, re.DOTALL).group(1)
    exec(compile(example, "tile_loop.py", "exec"), {"__name__": "tile_loop"})
    yield IMPLEMENTATIONS["tile_loop"]
    IMPLEMENTATIONS.remove("tile_loop")


def test_the_example_is_right_wherever_it_says_that_it_runs(tile_loop):
    fitting = [p for p in PROBLEMS.values() if not tile_loop.unsupported(p, "cpu", "forward_backward")]
    assert fitting
    for problem in fitting:
        given = oracle.inputs(problem)
        known = check.truth(problem, given)
        results = check.run(tile_loop.attend, problem, given, known.grad_out)
        assert check.judge(results, problem, given, known).right, problem
