"""What only a CUDA device can tell; `nox -s gpu` runs these there."""

import sys
from dataclasses import replace

import pytest
import torch

from halobench.attention import autotune, check, oracle
from halobench.attention.implementation import IMPLEMENTATIONS, Implementation
from halobench.attention.problem_sets import PROBLEMS, STANDARD
from halobench.case import AttentionCase, ModelCase
from halobench.device import ceilings, memory
from halobench.measure.measurement import measure
from halobench.measure.stopping import StoppingCriterion
from halobench.measure.workload import Settings
from halobench.sweep.executors import process

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
SETTINGS = Settings(stop=StoppingCriterion(seconds=0.01))


TITLES = ("not square, odd heads", "cut-off blocks, zero border, stride", "wide values, odd block")
WIDE = PROBLEMS["wide values, odd block"]  # 2 heads, 14 x 7, border zero, position sum


def case(name="haloed_blocked", **fields):
    return AttentionCase(
        implementation=name, problem=WIDE, device="cuda", **{"direction": "forward"} | fields
    )


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_every_implementation_is_right_in_bfloat16(name, title):
    """In all dtypes and on all problems: `python -m halobench campaign --part check`."""
    problem = replace(PROBLEMS[title], dtype="bfloat16")
    if reason := IMPLEMENTATIONS[name].unsupported(problem, "cuda", "forward_backward"):
        pytest.skip(reason)
    given = oracle.inputs(problem, device="cuda")
    known = check.truth(problem, given)
    results = check.run(IMPLEMENTATIONS[name].attend, problem, given, known.grad_out)
    verdict = check.judge(results, problem, given, known)
    assert verdict.right, verdict


def test_the_inputs_are_the_same_on_both_devices():
    on_cuda, on_cpu = (oracle.inputs(WIDE, device=device) for device in ("cuda", "cpu"))
    for name, x in on_cuda.tensors.items():
        assert torch.equal(x.cpu(), on_cpu.tensors[name])


def test_a_child_of_the_server_measures_on_the_device():
    process.start([case()])
    assert process.measure(case(), SETTINGS, timeout=60).status == "ok"


def test_an_allocation_that_no_device_has_room_for_is_said_to_be_one(registered):
    registered(IMPLEMENTATIONS, "huge", Implementation("huge", huge))
    assert measure(case("huge"), SETTINGS).status == "oom"


def huge(q, k, v, position, problem):
    return torch.empty(2**50, dtype=torch.uint8, device=q.device)


def test_the_peak_counts_what_lives_at_once_and_not_the_inputs():
    x = torch.ones(1024, 1024, device="cuda")
    assert memory.memory(lambda: (x * x) * x, "cuda").peak_bytes == 2 * x.nbytes


@pytest.mark.parametrize("group", ceilings.GROUPS)
def test_every_ceiling_is_measured(group):
    found = ceilings.GROUPS[group]("cuda", True)
    assert found
    assert all(value > 0 for value, _ in found.values())


def test_a_case_has_cold_and_hot_samples_memory_and_the_state_of_the_device():
    record = measure(case(direction="forward_backward"), SETTINGS)
    assert record.status == "ok", record.reason
    assert record.samples
    assert record.samples_hot
    assert record.peak_bytes > 0
    assert "MHz" in record.device_state


@pytest.mark.parametrize("direction", ["inference", "training"])
def test_a_network_is_measured_in_bfloat16(direction):
    case = ModelCase(
        model="halonet_h0", implementation="sdpa_blocked", direction=direction, image_size=256, batch=2,
        dtype="bfloat16", layout="channels_last", device="cuda",
    )  # fmt: skip
    record = measure(case, SETTINGS)
    assert record.status == "ok", record.reason


def forget(module):
    """What was worked out for shapes is worked out again."""
    module._forward_plan.cache_clear()
    module._backward_plan.cache_clear()


def fused(problem, dtype="bfloat16"):
    """The problem, its inputs, and what should come of them."""
    problem = replace(problem, dtype=dtype)
    given = oracle.inputs(problem, device="cuda")
    return problem, given, check.truth(problem, given)


@pytest.mark.parametrize("title", ["32x32 n8 d16 b8h3", "14x14 n8 d24 v72 b7h2"])
@pytest.mark.parametrize("kernel", ["forward", "backward"])
def test_every_configuration_is_right(kernel, title, monkeypatch):
    """Those of the whole batch, on one map."""
    problem, given, known = fused(replace(STANDARD[title], batch=1))
    module = sys.modules[IMPLEMENTATIONS["triton_fused"].attend.__module__]
    every, target = module.configs, module._target(given.q.device)
    for config in every(kernel, STANDARD[title], target):

        def only(name, *rest, config=config):
            return [config] if name == kernel else every(name, *rest)

        monkeypatch.setattr(module, "configs", only)
        forget(module)
        with autotune.defaults():
            verdict = check.examine(IMPLEMENTATIONS["triton_fused"], problem, given, known)
        assert verdict.right, (config, verdict)
    monkeypatch.undo()
    forget(module)


@pytest.mark.parametrize("border", ["mask", "zero"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_a_head_whose_weights_leave_their_type_is_done_again(dtype, border):
    large = fused(replace(PROBLEMS["large logits"], border=border), dtype)
    verdict = check.examine(IMPLEMENTATIONS["triton_fused"], *large)
    assert verdict.right, verdict


@pytest.mark.filterwarnings("default:.*cannot be timed")
def test_trials_find_a_configuration_and_keep_it(monkeypatch, tmp_path):
    monkeypatch.setenv(autotune.CACHE, str(tmp_path))
    monkeypatch.setattr(autotune, "_found", {})
    tried = AttentionCase(
        implementation="triton_fused", problem=replace(WIDE, dtype="bfloat16"), device="cuda",
        direction="forward_backward",
    )  # fmt: skip
    record = measure(tried, SETTINGS)
    assert record.status == "ok", record.reason
    assert record.tune_s > 0
    assert "triton_fused backward" in record.config
    assert len(list(autotune.folder().iterdir())) == 2


def test_gradients_are_the_same_bits_every_time():
    problem, given, known = fused(PROBLEMS["cut-off blocks, zero border, stride"])
    first, second = (
        check.run(IMPLEMENTATIONS["triton_fused"].attend, problem, given, known.grad_out) for _ in range(2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_cuda_graph_captures_forward_and_backward():
    problem, given, known = fused(WIDE)
    inputs = [x.detach().requires_grad_() for x in given.tensors.values()]

    def step():
        out = IMPLEMENTATIONS["triton_fused"].attend(*inputs[:3], tuple(inputs[3:]), problem)
        return (out.detach(), *torch.autograd.grad(out, inputs, known.grad_out.to(out)))

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        expected = step()
    side.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = step()
    graph.replay()
    torch.cuda.synchronize()
    assert all(map(torch.equal, found, expected))


def test_graphs_of_torch_compile_hold_what_is_kept_between_calls():
    """With mode="reduce-overhead": tensors that outlive a call may not lie in the pool of its graph."""
    problem, given, _ = fused(WIDE)
    module = sys.modules[IMPLEMENTATIONS["triton_fused"].module]
    inputs = [x.detach().requires_grad_() for x in given.tensors.values()]

    def step(q, k, v, height, width):
        return IMPLEMENTATIONS["triton_fused"].attend(q, k, v, (height, width), problem)

    compiled = torch.compile(step, mode="reduce-overhead")
    expected = torch.autograd.grad(step(*inputs).float().square().sum(), inputs)
    sys.modules[module.eye.__module__]._eyes.clear()
    for _ in range(4):
        torch.compiler.cudagraph_mark_step_begin()
        out = compiled(*inputs)
        found = torch.autograd.grad(out.float().square().sum(), inputs)
        assert all(map(torch.equal, found, expected))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_torch_accepts_the_operator_on_the_device():
    _, given, _ = fused(WIDE)
    inputs = [x.detach().requires_grad_() for x in given.tensors.values()]
    numbers = (WIDE.block, WIDE.halo, 1, True, False, 0.2, 1.0)
    torch.library.opcheck(torch.ops.halobench.triton_fused.default, (*inputs, *numbers))
