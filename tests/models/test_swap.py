"""timm's networks with ours inside: the same outputs and gradients, the same weights."""

import copy
import pickle
from dataclasses import replace

import pytest
import timm
import torch
from networks import CLASSES, images, largest_difference, network, output_and_gradients
from safetensors.torch import save_file
from timm.layers.halo_attn import HaloAttn

from halobench.attention import HaloAttention
from halobench.attention.implementation import IMPLEMENTATIONS, Implementation
from halobench.case import ModelCase
from halobench.measure.measurement import measure
from halobench.measure.stopping import StoppingCriterion
from halobench.measure.workload import Settings
from halobench.models import create, use, zoo
from halobench.models.swap import UsedHaloAttn


@pytest.mark.parametrize("name", zoo.TIMM_HALO)
def test_logits_and_the_gradients_of_every_layer_equal_those_of_timm(name):
    model, x = network(name), images(name)
    maps = {}  # what each halo layer is given
    layers = [layer for layer in model.modules() if isinstance(layer, HaloAttn)]
    for layer in layers:
        layer.register_forward_pre_hook(lambda layer, inputs: maps.update({layer: inputs[0]}))
    results = []
    for implementation in ("original", "haloed_blocked"):
        with torch.no_grad():
            found = {"logits": use(model, implementation)(x)}
        for number, layer in enumerate(layers):
            gradients = output_and_gradients(layer, maps[layer])
            found |= {f"{number} {name}": value for name, value in gradients.items()}
        results.append(found)
    assert min(value.abs().max() for value in results[0].values()) > 1e-6  # or equality would prove nothing
    assert largest_difference(*results) < 1e-8


@pytest.mark.parametrize("implementation", ["haloed_chunked", "sdpa_blocked", "naive_global", "unfold_local"])
def test_gradients_of_a_network_are_the_same_with_any_of_ours_inside(implementation):
    model, x = network("halonet26t"), images("halonet26t")
    expected = output_and_gradients(model, x)
    assert largest_difference(output_and_gradients(use(model, implementation), x), expected) < 1e-8


def test_the_state_is_untouched_and_original_restores():
    model, x = network("halonet26t"), images("halonet26t")
    before, logits = copy.deepcopy(model.state_dict()), model(x)
    assert use(model, "haloed_blocked") is model
    assert not torch.equal(model(x), logits)  # rounded in another order: ours really runs
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert torch.equal(use(model, "original")(x), logits)
    assert not any("implementation" in vars(layer) for layer in model.modules())


def test_weights_come_from_a_safetensors_file_before_or_after(tmp_path):
    trained, x = network("halonet26t"), images("halonet26t")
    save_file(trained.state_dict(), tmp_path / "weights.safetensors")
    torch.manual_seed(12)
    for early in (True, False):
        model = timm.create_model("halonet26t", num_classes=CLASSES).double().eval()
        if early:
            use(model, "haloed_chunked")
        timm.models.load_checkpoint(model, str(tmp_path / "weights.safetensors"))
        use(model, "haloed_chunked")
        torch.testing.assert_close(model(x), trained(x), rtol=1e-9, atol=1e-12)


def test_a_swapped_network_can_be_copied_and_pickled():
    model, x = use(network("halonet26t"), "haloed_chunked"), images("halonet26t")
    expected = model(x)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(x), expected)


def test_other_layers_of_a_network_are_left_alone():
    model = use(network("lamhalobotnet50ts_256"), "haloed_blocked")
    changed = [layer for layer in model.modules() if "implementation" in vars(layer)]
    assert len(changed) == 3
    assert all(isinstance(layer, HaloAttn) for layer in changed)


def test_a_swapped_network_takes_images_that_timms_own_does_not():
    model = network("halonet26t")
    small = torch.randn(1, 3, 96, 96, dtype=torch.float64)
    with pytest.raises(AssertionError):
        model(small)
    assert use(model, "haloed_blocked")(small).shape == (1, CLASSES)


@pytest.mark.parametrize("options", [{"qkv_bias": True}, {"scale_pos_embed": True}, {"avg_down": True}])
def test_every_option_of_the_layer_keeps_its_meaning(options):
    torch.manual_seed(3)
    layer = HaloAttn(16, stride=2, num_heads=2, block_size=4, halo_size=2, **options).double()
    if options.get("qkv_bias"):
        torch.nn.init.normal_(layer.kv.bias)
    x = torch.randn(2, 16, 8, 8, dtype=torch.float64)
    expected = layer(x)
    torch.testing.assert_close(use(layer, "haloed_blocked")(x), expected, rtol=1e-10, atol=1e-12)


def test_a_model_without_halo_attention_is_refused():
    with pytest.raises(ValueError, match="ResNet has no halo attention inside"):
        use(create("timm/resnet26t"), "haloed_blocked")


def test_an_unknown_implementation_changes_nothing():
    model = network("halonet26t")
    with pytest.raises(KeyError, match=r"nobodys.*haloed_blocked"):
        use(model, "nobodys")
    assert not any("implementation" in vars(layer) for layer in model.modules())


@pytest.mark.parametrize("implementation", ["haloed_blocked", "haloed_chunked", "sdpa_blocked", "auto"])
def test_a_swapped_network_compiles_without_a_break(implementation):
    torch.manual_seed(3)
    layers = [HaloAttn(16, stride=stride, num_heads=2, block_size=4, halo_size=1) for stride in (1, 2)]
    model, x = torch.nn.Sequential(*layers), torch.randn(2, 16, 8, 8)
    expected = model(x)
    compiled = torch.compile(use(model, implementation), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_under_autocast_the_tables_follow_the_queries(dtype):
    torch.manual_seed(3)
    layer, x = HaloAttn(16, num_heads=2, block_size=4, halo_size=1), torch.randn(2, 16, 8, 8)
    expected = layer(x)
    with torch.autocast("cpu", dtype):
        out = use(layer, "haloed_blocked")(x)
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), expected, rtol=0.05, atol=0.05)


def zeros(q, k, v, position, problem):
    return 0 * IMPLEMENTATIONS["naive_global"].attend(q, k, v, position, problem)


def without_halo(q, k, v, position, problem):
    tables = tuple(table[: 2 * problem.block - 1] for table in position)
    return IMPLEMENTATIONS["naive_global"].attend(q, k, v, tables, replace(problem, halo=0))


def without_gradient(q, k, v, position, problem):
    return IMPLEMENTATIONS["naive_global"].attend(q, k.detach(), v, position, problem)


@pytest.mark.parametrize(
    ("attend", "said"),
    [
        (zeros, "the output is off by"),
        (without_halo, "the output is off by"),
        (without_gradient, "the gradient of the map is off by"),
    ],
)
def test_verify_finds_what_a_fresh_network_does_not_show(registered, attend, said):
    registered(IMPLEMENTATIONS, "mine", Implementation("mine", attend))
    model = timm.create_model("halonet26t").eval()
    with pytest.raises(ValueError, match=rf"mine is wrong in stages\.2\.1\.self_attn: {said}"):
        use(model, "mine", verify=True)
    assert all(type(layer) is not UsedHaloAttn for layer in model.modules())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["halonet26t", "halonet50ts"])
def test_verify_lets_pass_what_is_right_and_changes_no_weight(name, dtype):
    model = timm.create_model(name).to(dtype)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    assert use(model, "auto", verify=True) is model
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize(("network", "size"), [("timm/halonet26t", 256), ("halonet_h0", 64)])
@pytest.mark.parametrize("direction", ["inference", "training"])
def test_a_sweep_finds_an_attention_that_gives_zeros_inside_a_network(registered, network, size, direction):
    registered(IMPLEMENTATIONS, "mine", Implementation("mine", zeros))
    case = ModelCase(model=network, implementation="mine", direction=direction, image_size=size, batch=1)
    record = measure(case, Settings(stop=StoppingCriterion(seconds=0.01, min_samples=1)))
    assert (record.status, record.reason[:6]) == ("wrong", "logits")


class Doubled(HaloAttn):
    """What a user makes of timm's layer."""

    def forward(self, x):
        return 2 * super().forward(x)


def test_a_subclass_of_timms_layer_keeps_what_is_its_own():
    torch.manual_seed(3)
    layer, x = Doubled(16, num_heads=2, block_size=4, halo_size=1).eval(), torch.randn(1, 16, 8, 8)
    expected, keys = layer(x), list(layer.state_dict())
    used = use(layer, "haloed_blocked")
    torch.testing.assert_close(used(x), expected, rtol=1e-5, atol=1e-6)
    assert isinstance(used, Doubled)
    assert used(torch.randn(1, 16, 9, 7)).shape == (1, 16, 9, 7)  # which timm's own refuses
    torch.testing.assert_close(copy.deepcopy(used)(x), expected, rtol=1e-5, atol=1e-6)
    use(used, "sdpa_blocked")
    assert type(use(used, "original")) is Doubled
    assert list(layer.state_dict()) == keys


@pytest.mark.parametrize(
    "options", [{"block_size": 7}, {"block_size": 1}, {"block_size": 8, "avg_down": True}], ids=str
)
@pytest.mark.parametrize("size", [15, 9])
def test_a_layer_that_pools_rounds_up_as_the_shortcut_beside_it_does(options, size):
    layer = use(HaloAttn(32, stride=2, num_heads=2, halo_size=2, **options), "haloed_blocked")
    assert layer(torch.randn(1, 32, size, size)).shape[2:] == ((size + 1) // 2,) * 2


def test_a_pooled_map_that_timm_takes_is_as_before():
    torch.manual_seed(3)
    layer, x = (
        HaloAttn(32, stride=2, num_heads=2, block_size=7, halo_size=2).eval(),
        torch.randn(2, 32, 14, 14),
    )
    expected = layer(x)
    torch.testing.assert_close(use(layer, "haloed_blocked")(x), expected, rtol=1e-5, atol=1e-6)


def test_ours_take_another_attention_as_timms_do(registered):
    torch.manual_seed(3)
    model, x = (
        create("halonet_h0", "haloed_blocked", num_classes=5, in_chans=2).eval(),
        torch.randn(1, 2, 64, 64),
    )
    expected, keys = model(x), list(model.state_dict())
    assert use(model, "sdpa_blocked", verify=True) is model
    torch.testing.assert_close(model(x), expected, rtol=1e-3, atol=1e-4)
    assert list(model.state_dict()) == keys
    assert {layer.implementation for layer in model.modules() if isinstance(layer, HaloAttention)} == {
        "sdpa_blocked"
    }
    registered(IMPLEMENTATIONS, "mine", Implementation("mine", zeros))
    with pytest.raises(ValueError, match=r"mine is wrong in stages\.0\.0\.inner\.0: the output is off by"):
        use(model, "mine", verify=True)
    with pytest.raises(ValueError, match="HaloNet has no halo attention of timm inside"):
        use(model, "original")
