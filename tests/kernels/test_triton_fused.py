"""The kernels in Triton's interpreter, where float64 tells logic from rounding; `nox -s tests` sets it."""

import os
import sys
from dataclasses import replace

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from halobench_kernels._triton.configs import Config
from halobench_kernels._triton.launch import counted, place
from networks import largest_difference, output_and_gradients
from timm.layers.halo_attn import HaloAttn
from torch.autograd import gradcheck
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from halobench.attention import HaloAttention, Problem, check, halo_attention, oracle, problem_sets
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.models import use

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
pytestmark = [
    pytest.mark.interpreted,
    pytest.mark.filterwarnings(  # a guess that was too low: the head is done again
        "ignore:overflow encountered", "ignore:invalid value encountered in matmul"
    ),
]
needs_interpreter = pytest.mark.skipif(not INTERPRETED, reason="needs TRITON_INTERPRET=1")
SLOW = ("many chunks", "chunks of rows, the last cut off")  # half a minute: `halobench check` has them
IN_FLOAT32 = ("one position", "zero border", "stride 2, compact offsets", "wide values, odd block")
MODULE = sys.modules[IMPLEMENTATIONS["triton_fused"].attend.__module__]
SMALL = Problem(
    height=5, width=7, block=4, halo=2, dim_qk=4, dim_v=3, border="zero", position="sum", dtype="float64"
)


def forget():
    """What was worked out for shapes is worked out again."""
    MODULE._forward_plan.cache_clear()
    MODULE._backward_plan.cache_clear()


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    forget()


def fused(q, k, v, *tables, problem=SMALL):
    return IMPLEMENTATIONS["triton_fused"].attend(q, k, v, tables or None, problem)


def verdict(problem):
    given = oracle.inputs(problem)
    return check.examine(IMPLEMENTATIONS["triton_fused"], problem, given, check.truth(problem, given))


def leaves(problem):
    return [x.requires_grad_() for x in oracle.inputs(problem).tensors.values()]


@needs_interpreter
@pytest.mark.parametrize("title", [title for title in problem_sets.PROBLEMS if title not in SLOW])
def test_output_and_gradients_are_exact_in_float64(title):
    found = verdict(replace(problem_sets.PROBLEMS[title], dtype="float64"))
    assert found.right, found


@needs_interpreter
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("title", IN_FLOAT32)
def test_output_and_gradients_are_as_good_as_the_dense_formula(title, dtype):
    found = verdict(replace(problem_sets.PROBLEMS[title], dtype=dtype))
    assert found.right, found


@needs_interpreter
@pytest.mark.parametrize("block", [7, 10, 14, 16, 32])
def test_blocks_of_any_size_are_right(block):
    problem = Problem(height=4, width=block + 2, block=block, halo=1, dim_qk=8, dim_v=8, position="sum")
    found = verdict(replace(problem, dtype="float64"))
    assert found.right, found


@needs_interpreter
@pytest.mark.parametrize("heads", [2, 3])
def test_a_program_of_several_heads_gives_the_same_bits(heads, monkeypatch):
    problem = replace(SMALL, heads=6, block=16, halo=1, height=5, width=5)  # tiles of a block, too
    given = leaves(problem)
    out = fused(*given, problem=problem)
    expected = (out, *torch.autograd.grad(out.square().sum(), given))
    monkeypatch.setattr(MODULE, "configs", lambda *_: [Config(64, each=heads)])
    forget()
    out = fused(*given, problem=problem)
    found = (out, *torch.autograd.grad(out.square().sum(), given))
    assert all(map(torch.equal, found, expected))


@needs_interpreter
@pytest.mark.parametrize("config", [Config(64, queries=32), Config(32, queries=16), Config(16, queries=16)])
def test_tiles_and_steps_of_other_sizes_are_right(config, monkeypatch):
    monkeypatch.setattr(MODULE, "configs", lambda *_: [config])
    forget()
    problem = replace(SMALL, block=8, halo=2, height=9, width=11)
    found = verdict(problem)
    assert found.right, found


@needs_interpreter
@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-6), ("float16", 1e-3)])
@pytest.mark.parametrize(("slot", "border"), [((0, 0), "zero"), ((5, 7), "mask"), ((9, 9), "zero")])
def test_a_slot_that_outweighs_all_that_were_looked_at_is_right(slot, border, dtype, bound):
    """Larger than the guess by more than a weight can hold: the head is done again."""
    problem = Problem(
        height=10, width=10, block=4, halo=3, dim_qk=8, dim_v=8, scale=1.0, border=border, dtype=dtype
    )
    q, k, v = oracle.inputs(problem).tensors.values()
    q.fill_(2.0)
    k.mul_(0.1)[..., *slot, :] = 20.0
    exact = oracle.attend(*(x.double() for x in (q, k, v)), None, problem)
    assert check.relative_error(fused(q, k, v, problem=problem), exact) < bound


@needs_interpreter
@pytest.mark.parametrize("scale", [0.0, -0.3, 1e-3])
def test_a_scale_that_relative_logits_can_not_be_divided_by_is_right_too(scale):
    found = verdict(replace(SMALL, scale=scale))
    assert found.right, found


@needs_interpreter
@pytest.mark.parametrize(
    ("dims", "shared"), [((8, 8), 8), ((24, 72), 8), ((4, 3), 1), ((16, 16), 1), ((4, 4), 4)]
)
@pytest.mark.parametrize("border", ["mask", "zero"])
def test_maps_are_read_as_a_network_lays_them_out(dims, shared, border):
    """Keys and values are parts of one map in channels-last memory."""
    dim, dim_v = dims
    problem = replace(SMALL, heads=2, dim_qk=dim, dim_v=dim_v, border=border)
    given = oracle.inputs(problem, "channels_last")
    both = torch.cat([given.k, given.v], -1).permute(0, 2, 3, 1, 4).contiguous().permute(0, 3, 1, 2, 4)
    laid_out = replace(given, k=both[..., :dim], v=both[..., dim:])
    assert counted(*map(place, (laid_out.q, laid_out.k, laid_out.v)))[0] == shared
    found = check.examine(IMPLEMENTATIONS["triton_fused"], problem, laid_out, check.truth(problem, given))
    assert found.right, found


@needs_interpreter
def test_gradients_are_those_of_finite_differences():
    problem = replace(SMALL, height=2, width=3, block=2, halo=1, dim_qk=2, dim_v=1, position="split")
    assert gradcheck(lambda *given: fused(*given, problem=problem), leaves(problem), fast_mode=True)


@needs_interpreter
def test_offsets_of_64_bits_change_nothing(monkeypatch):
    given = leaves(SMALL)
    expected = torch.autograd.grad(fused(*given).sum(), given)
    monkeypatch.setattr(MODULE, "wide", lambda *_: True)
    forget()
    assert all(map(torch.equal, torch.autograd.grad(fused(*given).sum(), given), expected))


@needs_interpreter
def test_maps_whose_offsets_pass_32_bits_are_read_where_they_are(monkeypatch):
    """A map of 2 x 2 in a tensor that spans 2**32 elements; only what is touched takes memory."""
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)
    far = torch.empty(2**32 + 16, dtype=torch.float16)
    q, k, v = (far[at:].as_strided((1, 1, 2, 2, 4), (0, 0, 2**32 - 64, 8, 1)).normal_() for at in (0, 4, 32))
    problem = Problem(height=2, width=2, block=2, halo=0, dim_qk=4, dim_v=4, dtype="float16")
    near = [x.contiguous() for x in (q, k, v)]
    assert torch.equal(fused(q, k, v, problem=problem), fused(*near, problem=problem))


@needs_interpreter
@pytest.mark.parametrize("order", [(0, 2, 3, 1, 4), (0, 1, 4, 2, 3)], ids=["channels_last", "nchw"])
def test_outputs_and_gradients_lie_in_memory_as_inputs_do(order):
    q, k, v, *tables = (x.detach() for x in leaves(SMALL))
    back = [order.index(axis) for axis in range(5)]
    laid = [x.permute(order).contiguous().permute(back).requires_grad_() for x in (q, k, v)]
    out = fused(*laid, *tables)
    gradients = torch.autograd.grad(out.sum(), laid)
    assert torch.equal(out, fused(q, k, v, *tables))
    assert [x.permute(order).is_contiguous() for x in (out, *gradients)] == [True] * 4


@needs_interpreter
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_torch_accepts_the_operator():
    given = leaves(SMALL)
    numbers = (4, 2, 1, True, False, 0.5, 1.0)
    torch.library.opcheck(torch.ops.halobench.triton_fused.default, (*given, *numbers))


@needs_interpreter
def test_it_traces_and_exports_without_a_break():
    class Layer(torch.nn.Module):
        def forward(self, *given):
            return halo_attention(*given[:3], 4, 2, position=given[3:], implementation="triton_fused") * 2

    given = leaves(SMALL)
    expected = Layer()(*given)
    assert torch.equal(torch.compile(Layer(), fullgraph=True, backend="aot_eager")(*given), expected)
    assert torch.equal(torch.export.export(Layer(), tuple(given)).module()(*given), expected)


@needs_interpreter
def test_checkpoints_give_the_same_gradients_and_a_second_gradient_is_right():
    given = leaves(SMALL)
    expected = torch.autograd.grad(fused(*given).square().sum(), given)
    again = torch.autograd.grad(checkpoint(fused, *given, use_reentrant=False).square().sum(), given)
    assert all(map(torch.equal, again, expected))
    seconds = []
    for name in ("triton_fused", "haloed_blocked"):
        out = IMPLEMENTATIONS[name].attend(*given[:3], tuple(given[3:]), SMALL)
        (slope,) = torch.autograd.grad(out.sum(), given[0], create_graph=True)
        seconds.append(torch.autograd.grad(slope.square().sum(), given))
    for found, known in zip(*seconds, strict=True):
        torch.testing.assert_close(found, known)


@needs_interpreter
def test_torch_counts_the_operations_that_the_problem_asks_for():
    given = leaves(SMALL)
    with FlopCounterMode(display=False) as counter:
        fused(*given).sum().backward()
    assert counter.get_total_flops() == SMALL.flop("forward_backward")


@needs_interpreter
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::torch.jit.TracerWarning")
def test_fvcore_counts_a_multiply_add_as_one():
    class Layer(torch.nn.Module):
        def forward(self, *given):
            return fused(*given)

    given = tuple(x.detach() for x in leaves(SMALL))
    counter = FlopCountAnalysis(Layer(), given).set_op_handle("halobench::triton_fused", MODULE.fvcore_handle)
    assert 2 * counter.total() == SMALL.flop()


@needs_interpreter
def test_an_empty_batch_is_empty_and_its_gradients_are_zero():
    given = leaves(replace(SMALL, batch=0))
    out = fused(*given, problem=replace(SMALL, batch=0))
    assert out.shape[0] == 0
    assert not any(x.any() for x in torch.autograd.grad(out.sum(), given))


@needs_interpreter
@pytest.mark.parametrize("stride", [1, 2])
def test_layers_of_timm_are_the_same_with_it_inside(stride):
    torch.manual_seed(3)
    layer = HaloAttn(16, stride=stride, num_heads=2, block_size=4, halo_size=1).double()
    x = torch.randn(2, 16, 8, 8, dtype=torch.float64)
    expected = output_and_gradients(layer, x)
    assert largest_difference(output_and_gradients(use(layer, "triton_fused"), x), expected) < 1e-12


@needs_interpreter
def test_autocast_gives_it_half_precision():
    layer, x = (
        HaloAttention(16, heads=2, block=4, halo=1, implementation="triton_fused"),
        torch.randn(1, 16, 8, 8),
    )
    with torch.autocast("cpu", torch.float16):
        assert layer(x).dtype == torch.float16


@pytest.mark.skipif(INTERPRETED, reason="with TRITON_INTERPRET=1 it runs")
def test_without_a_gpu_it_says_what_it_needs():
    q = torch.zeros(1, 1, 4, 4, 8)
    with pytest.raises(ValueError, match="triton_fused cannot do this: needs a GPU"):
        halo_attention(q, q, q, 4, 1, implementation="triton_fused")


@pytest.fixture
def told():
    """What says how exact products are, as it was afterwards."""
    matmul, every = torch.backends.cuda.matmul, torch.backends
    before = matmul.fp32_precision, every.fp32_precision
    matmul.fp32_precision = every.fp32_precision = "none"
    yield {"its own": matmul, "of all": every}
    matmul.fp32_precision, every.fp32_precision = before


@pytest.mark.parametrize("which", ["its own", "of all"])
def test_float32_is_as_exact_as_torch_is_told_to_be(told, which):
    assert not MODULE._one_pass(torch.float32)
    told[which].fp32_precision = "tf32"
    assert MODULE._one_pass(torch.float32)
    assert not MODULE._one_pass(torch.float16)


def test_the_older_way_to_allow_tf32_is_heard_too(told):
    told["its own"].allow_tf32 = True
    try:
        assert MODULE._one_pass(torch.float32)
    finally:
        told["its own"].allow_tf32 = False


def test_products_of_float32_take_three_passes_or_the_one_that_is_allowed():
    assert MODULE._precision("float32", "sm_90", False) == "tf32x3"
    assert MODULE._precision("float32", "sm_90", True) == "tf32"
    assert (
        MODULE._precision("float16", "sm_90", False)
        == MODULE._precision("float32", "gfx942", False)
        == "ieee"
    )
