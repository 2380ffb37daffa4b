import pytest
import torch
from torch import nn

from halobench.case import ModelCase
from halobench.errors import UsageError
from halobench.measure import model_workload
from halobench.measure.stopping import StoppingCriterion
from halobench.measure.workload import Settings
from halobench.models import flop_count
from halobench.models.flop_count import FlopCount
from halobench.profiling import modules
from halobench.profiling.modules import Part

QUICK = Settings(stop=StoppingCriterion(seconds=1e-9, min_samples=1, precision=10))


class Attend(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return self.project(x)


class Network(nn.Module):
    """Two stages; a normalisation that is called twice; a layer that is never called."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.stages = nn.Sequential(nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()), HaloAttn())
        self.unused = nn.Linear(3, 3)
        self.head = nn.Linear(4, 2)

    def forward(self, images):
        maps = self.stages(self.norm(self.norm(self.stem(images))))
        return self.head(maps.mean((2, 3)))


class HaloAttn(Attend):
    """Attention by its name."""


@pytest.fixture
def measured(monkeypatch):
    def measure(direction="inference"):
        flop = {"": 100, "stem": 60, "stages.1": 30}
        counted = FlopCount(flop, by_torch=0, by_torch_within=0, activations=0, problems=[], params=0)
        monkeypatch.setattr(flop_count, "counted", lambda *asked: counted)
        monkeypatch.setattr(model_workload, "network", lambda *asked: Network())
        case = ModelCase(
            model="halonet_h0", implementation="auto", direction=direction, image_size=8, batch=2
        )
        return {(part.name, part.kind): part for part in modules.measured(case, QUICK)}

    return measure


@pytest.mark.parametrize("direction", ["inference", "training"])
def test_every_part_that_is_called_is_measured_as_a_stage_and_as_a_layer(measured, direction):
    found = measured(direction)
    stages = [name for name, kind in found if kind == "stage"]
    assert stages == ["stem", "norm", "stages.0", "stages.1", "head"]
    assert [key for key in found if key[1] != "stage"] == [
        ("stem", "convolution"),
        ("norm", "normalisation"),
        ("stages.0.0", "convolution"),
        ("stages.1", "attention"),
        ("head", "linear"),
    ]
    assert all(part.samples and part.peak_bytes > 0 for part in found.values())
    assert [part.calls for part in found.values()].count(2) == 2  # norm, both ways


def test_parameters_flop_and_memory_of_a_part(measured):
    found = measured()
    stem = found["stem", "stage"]
    assert (stem.params, stem.flop) == (3 * 4 * 9 + 4, 60)
    assert found["stages.1", "attention"].flop == 30
    assert found["stages.0.0", "convolution"].peak_bytes >= 2 * 4 * 8 * 8 * 4  # its output


def test_training_counts_three_times_the_work_and_keeps_more_memory(measured):
    inference, training = measured()["stages.0", "stage"], measured("training")["stages.0", "stage"]
    assert measured("training")["stem", "stage"].flop == 3 * 60
    assert training.peak_bytes > inference.peak_bytes


def test_time_of_a_part_is_that_of_all_its_calls():
    assert Part("norm", "normalisation", 1, 0, samples=(1.0, 2.0, 9.0), calls=2).seconds == 4.0


def test_gradients_of_inputs_are_asked_for_where_the_network_needs_them():
    layer, x = nn.Conv2d(3, 4, 1), torch.ones(1, 3, 2, 2)
    without = modules._call(layer, (x,), {}, training=True)()
    with_input = modules._call(layer, (x.clone().requires_grad_(),), {}, training=True)()
    assert (len(without), len(with_input)) == (2, 3)
    assert with_input[0].shape == x.shape


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (nn.Conv2d(1, 1, 1), "convolution"),
        (nn.BatchNorm2d(1), "normalisation"),
        (nn.LayerNorm(1), "normalisation"),
        (nn.Linear(1, 1), "linear"),
        (HaloAttn(), "attention"),
        (type("LambdaLayer", (nn.Module,), {})(), "attention"),
        (type("SelfAttnBlock", (nn.Module,), {})(), "the rest"),
        (type("AttentionPool2d", (nn.Module,), {})(), "the rest"),
        (nn.ReLU(), "the rest"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_kinds_of_layers(module, kind):
    assert modules.kind_of(module) == kind


def test_a_compiled_network_is_refused():
    case = ModelCase(
        model="halonet_h0",
        implementation="auto",
        direction="inference",
        image_size=8,
        batch=1,
        mode="compiled",
    )
    with pytest.raises(UsageError, match="a compiled network has no parts"):
        modules.measured(case, QUICK)
