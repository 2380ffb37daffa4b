"""What only a CUDA device can tell; `nox -s gpu` runs these there."""

import pytest
import torch

from halobench import checking
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


def test_every_implementation_is_right_in_every_dtype():
    assert checking.show(["all"], ["float32", "bfloat16", "float16"], "cuda") == 0


def test_a_case_has_cold_and_hot_samples_memory_and_the_state_of_the_device():
    problem = PROBLEMS["many chunks"]
    case = AttentionCase(
        implementation="haloed_blocked", direction="forward_backward", problem=problem, device="cuda"
    )
    record = measure(case, SETTINGS)
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
