"""What only a CUDA device can tell; `nox -s gpu` runs these there."""

from dataclasses import replace

import pytest
import torch

from halobench import ceilings, check, oracle, probes, worker
from halobench.attention import ATTENTIONS, Attention
from halobench.hard import PROBLEMS
from halobench.prepare import Settings
from halobench.problem import AttentionCase, ModelCase
from halobench.run import measure
from halobench.stats import Stop

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
SETTINGS = Settings(stop=Stop(seconds=0.01))


TITLES = ("not square, odd heads", "cut-off blocks, zero border, stride", "wide values, odd block")
WIDE = PROBLEMS["wide values, odd block"]  # 2 heads, 14 x 7, border zero, position sum


def case(name="haloed_blocked", **fields):
    return AttentionCase(
        implementation=name, problem=WIDE, device="cuda", **{"direction": "forward"} | fields
    )


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("name", ATTENTIONS)
def test_every_implementation_is_right_in_bfloat16(name, title):
    """In all dtypes and on all problems: `python -m halobench.campaign --part check`."""
    problem = replace(PROBLEMS[title], dtype="bfloat16")
    if reason := ATTENTIONS[name].unsupported(problem, "cuda", "forward_backward"):
        pytest.skip(reason)
    given = oracle.inputs(problem, device="cuda")
    known = check.truth(problem, given)
    results = check.run(ATTENTIONS[name].attend, problem, given, known.grad_out)
    verdict = check.judge(results, problem, given, known)
    assert verdict.right, verdict


def test_the_inputs_are_the_same_on_both_devices():
    on_cuda, on_cpu = (oracle.inputs(WIDE, device=device) for device in ("cuda", "cpu"))
    for name, x in on_cuda.tensors.items():
        assert torch.equal(x.cpu(), on_cpu.tensors[name])


def test_a_child_of_the_server_measures_on_the_device():
    worker.start([case()])
    assert worker.measure(case(), SETTINGS, timeout=60).status == "ok"


def test_an_allocation_that_no_device_has_room_for_is_said_to_be_one(monkeypatch):
    monkeypatch.setitem(ATTENTIONS._entries, "huge", Attention("huge", huge))
    assert measure(case("huge"), SETTINGS).status == "oom"


def huge(q, k, v, position, problem):
    return torch.empty(2**50, dtype=torch.uint8, device=q.device)


def test_the_peak_counts_what_lives_at_once_and_not_the_inputs():
    x = torch.ones(1024, 1024, device="cuda")
    assert probes.memory(lambda: (x * x) * x, "cuda").peak_bytes == 2 * x.nbytes


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
