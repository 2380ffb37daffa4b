"""Every implementation on problems that nobody thought of, outputs and gradients."""

import os

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from strategies import MODERATE, layouts, problems, seeds

from halobench.attention import check, oracle
from halobench.attention.implementation import IMPLEMENTATIONS

COMPILED = [name for name, entry in IMPLEMENTATIONS.items() if entry.compile_s > 10]  # seconds a problem
RIGHT = ("naive_global", "unfold_local", "haloed_blocked", "haloed_chunked", "sdpa_blocked")
EXACT = ("float32", "float64")
TOLD = {
    "float32": 1e-2,
    "float64": 1e-12,
}  # of the size of its terms: a sum that is smaller has lost its digits
# Under deterministic algorithms torch 2.14 compiles a backward pass that writes into an input of one element.
SEVERAL = st.integers(2, 20)


THOROUGH = int(os.environ.get("HALOBENCH_THOROUGH", "1"))  # `nox -s thorough` has more


def drawn(count):
    """So many problems, the same each time."""
    return settings(
        max_examples=count * THOROUGH,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def examined(name, problem, layout, seed):
    """The verdict on an implementation, None where it cannot do that."""
    entry = IMPLEMENTATIONS[name]
    if entry.unsupported(problem, "cpu", "forward") is not None:
        return None
    given_ = oracle.inputs(problem, layout, seed=seed)
    return check.examine(entry, problem, given_, check.truth(problem, given_))


def all_right(problem, layout, seed):
    given_ = oracle.inputs(problem, layout, seed=seed)
    known = check.truth(problem, given_)
    for name, entry in IMPLEMENTATIONS.items():
        if name not in COMPILED and entry.unsupported(problem, "cpu", "forward") is None:
            verdict = check.examine(entry, problem, given_, known)
            assert verdict.right, f"{name}: {verdict}"


@drawn(120)
@given(problems(), layouts, seeds)
def test_every_implementation_is_right_on_random_problems(problem, layout, seed):
    all_right(problem, layout, seed)


@pytest.mark.slow
@drawn(100)
@given(problems(dtypes=EXACT), layouts, seeds)
def test_right_results_raise_no_alarm(problem, layout, seed):
    all_right(problem, layout, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPILED)
@drawn(2)
@given(problems(dtypes=("float32",), least_batch=1, dims=SEVERAL), layouts, seeds)
def test_compiled_ones_are_right_on_a_few(name, problem, layout, seed):
    verdict = examined(name, problem, layout, seed)
    assert verdict is None or verdict.right, verdict


@pytest.mark.interpreted
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the kernel overflows, and tries again
@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") != "1", reason="needs TRITON_INTERPRET=1")
@settings(parent=drawn(15), phases=[Phase.generate])  # to find a smaller one takes minutes here
@given(problems(dtypes=("float16", *EXACT)), layouts, seeds)
def test_the_triton_kernel_is_right_on_random_problems(problem, layout, seed):
    rows, columns = problem.grid
    assume(problem.batch * problem.heads * rows * columns <= 16)  # programs, a tenth of a second each
    verdict = examined("triton_fused", problem, layout, seed)
    assert verdict is None or verdict.right, verdict


@pytest.mark.parametrize("dtype", EXACT)
@drawn(40)
@given(st.data(), seeds)
def test_a_block_or_a_gradient_that_is_off_by_a_ten_thousandth_is_found(dtype, data, seed):
    problem = data.draw(problems((dtype,), st.sampled_from(MODERATE), least_batch=1))
    given_ = oracle.inputs(problem, seed=seed)
    known = check.truth(problem, given_)
    attend = IMPLEMENTATIONS[data.draw(st.sampled_from(RIGHT))].attend
    for name in known.exact:
        results = check.run(attend, problem, given_, known.grad_out)
        place = (..., slice(None))
        if name == "out":
            block = data.draw(st.sampled_from(known.chosen))
            place = (slice(0, 1), slice(0, 1), *oracle.place(block, problem))
        if known.exact[name][place].norm() > TOLD[dtype] * known.sizes[name][place].norm():
            results[name][place] *= 1 + 1e-4
            assert not check.judge(results, problem, given_, known).right, name
