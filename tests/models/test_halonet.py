"""The paper's networks: their sizes, and that all implementations make the same of them."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from networks import largest_difference, output_and_gradients
from timm.layers.squeeze_excite import SEModule
from torch import nn

from halobench.attention import HaloAttention
from halobench.models.halonet import CONFIGURATIONS, Bottleneck, Configuration, HaloNet

MILLIONS = {  # as the paper prints them, or with a digit more that follows from its tables
    "halonet_h0": "5.5",
    "halonet_h1": "8.1",
    "halonet_h2": "9.4",
    "halonet_h4": "19.1",
    "halonet_h5": "30.7",
    "halonet_h6": "43.4",
    "halonet_h7": "67.4",
    "halonet_h7_conv1": "67",
    "halonet_h7_conv12": "67",
    "halonet_50": "18.0",
    "halonet_h4_base128": "85",
    "halonet_h4_base128_patch": "85",
    "halonet_h4_base128_conv12": "87.0",
    "halonet_h4_base128_512": "85",
    "halonet_h4_base128_patch_512": "85",
    "halonet_h4_base128_conv12_512": "87.0",
}
DISTINCT = [  # in what a block of theirs is
    name
    for name, row in CONFIGURATIONS.items()
    if row.convolutions < len(row.depths) and not name.startswith("resnet101") and not name.endswith("512")
]
IMPLEMENTATIONS = ["naive_global", "unfold_local", "haloed_chunked", "sdpa_blocked"]


def on_meta(row, **options):
    with torch.device("meta"):
        return HaloNet(row, **options).eval()


def in_millions(network, digits):
    return f"{sum(parameter.numel() for parameter in network.parameters()) / 1e6:.{digits}f}"


@pytest.mark.parametrize("name", MILLIONS)
def test_parameters_are_those_of_the_paper(name):
    digits = len(MILLIONS[name].partition(".")[2])
    assert in_millions(on_meta(CONFIGURATIONS[name]), digits) == MILLIONS[name]


def test_the_parameters_of_h3_in_the_paper_are_those_of_a_wider_end():
    printed = CONFIGURATIONS["halonet_h3"]
    assert in_millions(on_meta(printed), 1) == "11.8"
    assert in_millions(on_meta(dataclasses.replace(printed, final=1280)), 1) == "12.3"


def test_h4_of_twice_the_width_has_the_blocks_it_was_pre_trained_with():
    row = dataclasses.replace(CONFIGURATIONS["halonet_h4_base128"], block=8, halo=2, image_size=256)
    assert in_millions(on_meta(row), 1) == "85.1"


def test_convolutions_of_a_hybrid_keep_its_parameters_near_those_of_h7():
    assert in_millions(on_meta(CONFIGURATIONS["halonet_h7_conv123"]), 1) == "66.1"  # the paper: about 67


def test_all_convolution_and_no_squeeze_excite_is_the_first_resnet():
    plain = dataclasses.replace(CONFIGURATIONS["resnet50_se"], squeezed="")
    assert sum(p.numel() for p in on_meta(plain).parameters()) == 25_557_032  # torchvision's resnet50


def sides(name, image_size):
    network = on_meta(CONFIGURATIONS[name], implementation="haloed_blocked")
    images = torch.empty(1, 3, image_size, image_size, device="meta")
    return [maps.shape[-1] for maps in network.features(images)]


def test_stages_halve_the_map_rounding_up():
    assert sides("halonet_h7", 600) == [150, 75, 38, 19]
    assert sides("halonet_h7_conv123", 600) == [150, 75, 38, 19]
    assert sides("halonet_h4_base128_patch", 384) == [96, 48, 24, 12]


@pytest.mark.parametrize("name", ["resnet50_se", "resnet101_local_b32"])
def test_backbones_return_the_maps_of_their_stages(name):
    network = on_meta(CONFIGURATIONS[name], implementation="haloed_blocked")
    maps = network.features(torch.empty(1, 3, 1024, 1024, device="meta"))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (256, 256, 256),
        (512, 128, 128),
        (1024, 64, 64),
        (2048, 32, 32),
    ]


def test_local_attention_of_a_backbone_is_in_its_last_three_blocks():
    network = on_meta(CONFIGURATIONS["resnet50_local_b32"])
    asked = [module.asked for module in network.modules() if isinstance(module, HaloAttention)]
    assert [(p.block, p.halo, p.heads, p.stride) for p in asked] == [(32, 3, 8, s) for s in (2, 1, 1)]
    assert len([m for m in network.modules() if isinstance(m, SEModule)]) == 3 + 4 + 6
    assert all(isinstance(m, HaloAttention) for m in [b.inner[0] for b in network.stages[3]])


def test_halonet_50_has_16_channels_a_head():
    network = on_meta(CONFIGURATIONS["halonet_50_se"])
    asked = [module.asked for module in network.modules() if isinstance(module, HaloAttention)]
    assert {p.dim_qk for p in asked} == {p.dim_v for p in asked} == {16}
    assert [p.heads for p in asked] == [4] * 3 + [8] * 4 + [16] * 6 + [32] * 3
    assert {type(b.activation) for stage in network.stages for b in stage} == {nn.ReLU}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"stem": "5x5"}, "stem must be one of 7x7, 4x4, not '5x5'"),
        ({"squeezed": "all"}, "squeezed must be one of convolution, attention, not 'all'"),
        ({"activation": "gelu"}, "activation must be one of silu, relu, not 'gelu'"),
        ({"depths": (1, 1)}, r"heads \(4, 8, 8, 8\) and depths \(1, 1\) must have a value a stage each"),
    ],
)
def test_a_configuration_says_what_is_allowed(given, message):
    with pytest.raises(ValueError, match=message):
        Configuration(**given)


def test_attention_is_the_table_s_in_every_layer():
    network = on_meta(CONFIGURATIONS["halonet_h0"], border="zero")
    asked = [module.asked for module in network.modules() if isinstance(module, HaloAttention)]
    assert {(p.block, p.halo, p.border, p.position) for p in asked} == {(8, 3, "zero", "split")}
    assert [p.heads for p in asked] == [4] * 3 + [8] * 13
    assert [p.dim_qk for p in asked] == [16] * 6 + [32] * 7 + [64] * 3
    assert [number for number, p in enumerate(asked) if p.stride == 2] == [3, 6, 13]


@pytest.mark.parametrize(("dim_out", "stride"), [(8, 1), (24, 1), (8, 2)])
def test_a_block_adds_to_its_shortcut_and_activates_the_sum(dim_out, stride):
    inner = HaloAttention(16, 32, heads=2, stride=stride)
    block = Bottleneck((8, 16, 32, dim_out), inner, stride, nn.SiLU).eval()
    nn.init.zeros_(block.widen[1].weight)
    x = torch.randn(1, 8, 9, 9)
    torch.testing.assert_close(block(x), F.silu(block.shortcut(x)))
    assert isinstance(block.shortcut, nn.Identity) == (dim_out == 8 and stride == 1)


@pytest.mark.parametrize(
    "name", ["halonet_h0", "halonet_h7", "halonet_50_se", "halonet_h4_base128_patch", "resnet50_local_b8"]
)
def test_attention_shapes_what_a_network_just_made_says(name):
    torch.manual_seed(4)
    network = HaloNet(CONFIGURATIONS[name]).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        logits = network(images)
        for module in network.modules():
            if isinstance(module, HaloAttention):
                module.register_forward_hook(lambda layer, inputs, out: 0.99 * out)
        change = (network(images) - logits).norm() / logits.norm()
    assert change > 3e-3
    assert logits.abs().max() < 1e4  # float16 ends at 65504


def set_implementation(network, name):
    for module in network.modules():
        if isinstance(module, HaloAttention):
            module.implementation = name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype", "most"),
    [
        *((name, "float64", 1e-10) for name in DISTINCT),
        *((name, "float32", 1e-4) for name in ("halonet_h0", "halonet_h7", "resnet50_local_b32")),
    ],
)
def test_implementations_make_the_same_of_an_image(name, dtype, most):
    """A block a stage, on maps that are no multiple of any block: 17, 9, 5 and 3 positions a side."""
    torch.manual_seed(1)
    row = dataclasses.replace(CONFIGURATIONS[name], depths=(1, 1, 1, 1))
    network = HaloNet(row, "haloed_blocked", classes=5).to(getattr(torch, dtype)).eval()
    images = torch.randn(1, 3, 68, 68, generator=torch.Generator().manual_seed(2)).to(getattr(torch, dtype))
    expected = output_and_gradients(network, images)
    for implementation in IMPLEMENTATIONS:
        set_implementation(network, implementation)
        assert largest_difference(output_and_gradients(network, images), expected) < most, implementation


def test_implementations_make_the_same_of_an_image_in_all_of_h0():
    torch.manual_seed(1)
    network = HaloNet(CONFIGURATIONS["halonet_h0"], "haloed_blocked").double().eval()
    images = torch.randn(1, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    expected = output_and_gradients(network, images)
    for implementation in IMPLEMENTATIONS:
        set_implementation(network, implementation)
        assert largest_difference(output_and_gradients(network, images), expected) < 1e-10, implementation
