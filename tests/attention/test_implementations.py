"""Every registered implementation against the oracle; a new file in kernels/ is covered at once."""

import sys
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from halobench.attention import Problem, check, halo_attention, oracle
from halobench.attention.implementation import IMPLEMENTATIONS, Implementation
from halobench.attention.problem_sets import PROBLEMS

COMPILED = [name for name, entry in IMPLEMENTATIONS.items() if entry.compile_s > 10]  # seconds a problem
AS_WRITTEN = [name for name in IMPLEMENTATIONS if name not in COMPILED]
BORDERS = {"timm_halo": "zero", "natten": "zero"}  # what others' code means, where that is no choice
FIRST, *OTHERS = "cut-off blocks", "wide values, odd block", "bfloat16"

EVERYWHERE = [pytest.param(name, title, id=f"{name}-{title}") for name in AS_WRITTEN for title in PROBLEMS]
A_FEW = [
    pytest.param(name, title, id=f"{name}-{title}", marks=[pytest.mark.slow] * (title != FIRST))
    for name in COMPILED
    for title in (FIRST, *OTHERS)
]


def judged(name: str, problem: Problem, layout: str = "bhyxd") -> check.Verdict:
    """Of the output, and of the gradients where there are any; skipped where not even the former is."""
    entry = IMPLEMENTATIONS[name]
    if reason := entry.unsupported(problem, "cpu", "forward"):
        pytest.skip(reason)
    return check.examine(entry, problem, *known(problem, layout))


@cache
def known(problem: Problem, layout: str) -> tuple[oracle.Inputs, check.Truth]:
    """Inputs of a problem and what they must come to, for all implementations."""
    given = oracle.inputs(problem, layout)
    return given, check.truth(problem, given)


@pytest.mark.parametrize(("name", "title"), EVERYWHERE + A_FEW)
def test_output_and_gradients_match_the_oracle(name, title):
    verdict = judged(name, PROBLEMS[title])
    assert verdict.right, verdict


@pytest.mark.slow
def test_flex_blocks_is_right_everywhere_before_it_is_compiled(monkeypatch):
    monkeypatch.setattr(sys.modules["halobench_kernels.flex_blocks"], "compiled", lambda call, problem: call)
    entry = IMPLEMENTATIONS["flex_blocks"]
    for title, problem in PROBLEMS.items():
        if not entry.unsupported(problem, "cpu", "forward"):
            verdict = judged("flex_blocks", problem)
            assert verdict.right, f"{title}: {verdict}"


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", AS_WRITTEN)
def test_every_hard_problem_is_right_in_half_precision_too(name, dtype):
    for title, problem in PROBLEMS.items():
        problem = replace(problem, dtype=dtype)
        if not IMPLEMENTATIONS[name].unsupported(problem, "cpu", "forward"):
            verdict = judged(name, problem)
            assert verdict.right, f"{title}: {verdict}"


@pytest.mark.parametrize("layout", ["channels_last", "nchw"])
@pytest.mark.parametrize("name", AS_WRITTEN)
def test_memory_may_be_laid_out_in_any_order(name, layout):
    for title in ("cut-off blocks", "many chunks", "wide values, odd block", "halo wider than the map"):
        if not IMPLEMENTATIONS[name].unsupported(PROBLEMS[title], "cpu", "forward"):
            verdict = judged(name, PROBLEMS[title], layout)
            assert verdict.right, f"{title}: {verdict}"


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_an_empty_batch_gives_an_empty_output(name):
    problem = Problem(height=4, width=4, block=2, halo=1, batch=0, position="sum")
    if reason := IMPLEMENTATIONS[name].unsupported(problem, "cpu", "forward_backward"):
        pytest.skip(reason)
    given = oracle.inputs(problem)
    results = check.run(IMPLEMENTATIONS[name].attend, problem, given, given.grad_out)
    assert results["out"].shape == problem.out_shape
    assert results["drel_height"].count_nonzero() == 0


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_executed_pairs_are_never_fewer_than_the_useful_ones(name):
    for problem in PROBLEMS.values():
        if not IMPLEMENTATIONS[name].unsupported(problem, "cpu", "forward"):
            assert IMPLEMENTATIONS[name].slots(problem) >= problem.pairs()


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_what_lies_outside_a_window_does_not_change_its_block(name):
    problem = Problem(height=8, width=8, block=2, halo=1, border=BORDERS.get(name, "mask"))
    if reason := IMPLEMENTATIONS[name].unsupported(problem, "cpu", "forward"):
        pytest.skip(reason)
    given = oracle.inputs(problem)
    far = given.k.clone()
    far[:, :, 4:] = 1e3
    out, other = (IMPLEMENTATIONS[name].attend(given.q, k, given.v, None, problem) for k in (given.k, far))
    assert torch.equal(out[:, :, :2], other[:, :, :2])


def test_the_public_call_reads_the_problem_off_the_tensors():
    problem = PROBLEMS["both scales"]
    given = oracle.inputs(problem)
    out = halo_attention(
        given.q, given.k, given.v, problem.block, problem.halo, border="zero", position=given.position,
        scale=problem.scale, position_scale=problem.position_scale,
    )  # fmt: skip
    expected = oracle.attend(given.q, given.k, given.v, given.position, problem)
    torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-6)


def test_tables_half_as_wide_are_split():
    problem = PROBLEMS["stride 2, exact offsets"]
    given = oracle.inputs(problem)
    out = halo_attention(
        given.q, given.k, given.v, problem.block, problem.halo, stride=2, position=given.position
    )
    expected = oracle.attend(given.q, given.k, given.v, given.position, problem)
    torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"q": (1, 1, 3, 4, 8)}, r"q must have shape \(1, 1, 4, 4, 8\), not \(1, 1, 3, 4, 8\)", id="q"
        ),
        pytest.param({"k": (1, 4, 4, 8)}, r"k must have the axes .* not shape \(1, 4, 4, 8\)", id="axes"),
        pytest.param({"v": (1, 1, 4, 5, 8)}, r"v must have shape \(1, 1, 4, 4, 8\)", id="v"),
    ],
)
def test_shapes_that_do_not_fit_are_named(change, message):
    shapes = {"q": (1, 1, 4, 4, 8), "k": (1, 1, 4, 4, 8), "v": (1, 1, 4, 4, 8)} | change
    with pytest.raises(ValueError, match=message):
        halo_attention(*(torch.zeros(shape) for shape in shapes.values()), 2, 1)


def test_tables_of_another_width_are_named():
    x, table = torch.zeros(1, 1, 4, 4, 8), torch.zeros(7, 5)
    with pytest.raises(ValueError, match="dim_qk = 8 or half of it wide, not 5"):
        halo_attention(x, x, x, 2, 1, position=(table, table))


def test_mixed_dtypes_are_named():
    x = torch.zeros(1, 1, 4, 4, 8)
    with pytest.raises(ValueError, match=r"v must be torch.float32 on cpu like q, not torch.float64 on cpu"):
        halo_attention(x, x, x.double(), 2, 1)


@pytest.mark.parametrize("which", [0, 1])
def test_tables_that_do_not_fit_are_named(which):
    x, tables = torch.zeros(1, 1, 4, 4, 8), [torch.zeros(7, 8), torch.zeros(7, 8)]
    name = ("height", "width")[which]
    tables[which] = torch.zeros(5, 8)
    with pytest.raises(ValueError, match=rf"relative {name} must have shape \(7, 8\), not \(5, 8\)"):
        halo_attention(x, x, x, 2, 1, position=tuple(tables))
    tables[which] = torch.zeros(7, 8, dtype=torch.float64)
    with pytest.raises(ValueError, match=rf"relative {name} must be torch.float32 on cpu like q"):
        halo_attention(x, x, x, 2, 1, position=tuple(tables))


def test_another_device_is_named():
    x = torch.zeros(1, 1, 4, 4, 8)
    with pytest.raises(ValueError, match=r"k must be torch.float32 on cpu like q, not torch.float32 on meta"):
        halo_attention(x, x.to("meta"), x, 2, 1)


@pytest.fixture
def asked():
    """The problems that calls of the implementation `asks` were given; it computes nothing."""
    problems = []

    def asks(q, k, v, position, problem):
        problems.append(problem)
        return q

    with IMPLEMENTATIONS.temporarily("asks", Implementation("asks", asks)):
        yield problems


OTHERS = {
    "block": 4, "halo": 2, "stride": 2, "border": "zero", "scale": 2.0, "position_scale": 2.0,
    "offset": "compact",
}  # fmt: skip


@pytest.mark.parametrize("option", OTHERS)
def test_a_call_with_another_option_is_not_taken_for_one_before(option, asked):
    plain = {"block": 2, "halo": 1, "implementation": "asks"}
    for options in (plain, plain | {option: OTHERS[option]}, plain):
        side = 4 // options.get("stride", 1)
        q, k = torch.zeros(1, 1, side, side, 8), torch.zeros(1, 1, 4, 4, 8)
        halo_attention(q, k, k, **options)
    before, other, again = asked
    assert getattr(other, option) == OTHERS[option] != getattr(before, option)
    assert again == before


@pytest.mark.parametrize("change", [{"dtype": torch.float64}, {"dim_v": 3}, {"table": 4}, {"table": 8}])
def test_a_call_with_other_tensors_is_not_taken_for_one_before(change, asked):
    for given in ({}, change):
        x = torch.zeros(1, 1, 4, 4, 8, dtype=given.get("dtype", torch.float32))
        table = torch.zeros(7, given.get("table", 0))
        position = (table, table) if "table" in given else None
        v = x[..., : given.get("dim_v", 8)]
        halo_attention(x, x, v, 2, 1, position=position, implementation="asks")
    before, other = asked
    found = (other.dtype, other.dim_v, other.dim_rel if other.position != "none" else 0)
    assert found == (str(x.dtype).removeprefix("torch."), v.shape[-1], table.shape[-1])
    assert other != before


def test_an_option_of_another_type_is_not_taken_for_an_equal_one_before(asked):
    x = torch.zeros(1, 1, 4, 4, 8)
    for block in (2, 2.0):
        halo_attention(x, x, x, block, 1, implementation="asks")
    assert [type(problem.block) for problem in asked] == [int, float]


def test_sizes_that_are_symbols_are_asked_for_every_time(asked):
    q = torch.zeros(1, 1, 4, 4, 8)
    make_fx(lambda q: halo_attention(q, q, q, 2, 1, implementation="asks"), tracing_mode="symbolic")(q)
    assert len(asked) == 1


def test_an_unsupported_problem_says_why():
    entry = Implementation(
        "picky", lambda *args: args[0], lambda problem, device, direction: "needs a full moon"
    )
    x = torch.zeros(1, 1, 4, 4, 8)
    with (
        IMPLEMENTATIONS.temporarily("picky", entry),
        pytest.raises(ValueError, match="picky cannot do this: needs a full moon"),
    ):
        halo_attention(x, x, x, 2, 1, implementation="picky")


def test_an_unknown_implementation_lists_the_known():
    x = torch.zeros(1, 1, 4, 4, 8)
    with pytest.raises(KeyError, match=r"there are: .*haloed_blocked"):
        halo_attention(x, x, x, 2, 1, implementation="fastest")


def test_the_chunked_gradient_is_the_same_to_the_bit_and_passes_gradcheck():
    problem = Problem(
        height=5, width=4, block=2, halo=1, dim_qk=2, dim_v=3, dtype="float64", position="sum", border="zero"
    )
    given = oracle.inputs(problem)
    leaves = [x.requires_grad_() for x in given.tensors.values()]
    call = IMPLEMENTATIONS["haloed_chunked"].attend

    def flat(q, k, v, height, width):
        return call(q, k, v, (height, width), problem)

    assert torch.autograd.gradcheck(flat, leaves)
    first, again = (torch.autograd.grad(flat(*leaves), leaves, given.grad_out) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
