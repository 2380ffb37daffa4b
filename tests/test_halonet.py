"""The paper's networks: their sizes, and that all implementations make the same of them."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from halobench.layer import HaloAttention
from halobench.models.halonet import CONFIGURATIONS, Bottleneck, HaloNet

MILLIONS = {  # as the paper prints them
    "halonet_h0": "5.5",
    "halonet_h1": "8.1",
    "halonet_h2": "9.4",
    "halonet_h4": "19.1",
    "halonet_h5": "30.7",
    "halonet_h6": "43.4",
    "halonet_h7": "67",
}


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


def test_stages_halve_the_map_rounding_up():
    network = on_meta(CONFIGURATIONS["halonet_h7"], implementation="haloed_blocked")
    maps = network.stem(torch.empty(1, 3, 600, 600, device="meta"))
    sizes = [maps.shape[-1]]
    for block in network.blocks:
        maps = block(maps)
        sizes.append(maps.shape[-1])
    assert sizes == [150] * 4 + [75] * 3 + [38] * 26 + [19] * 3


def test_attention_is_the_table_s_in_every_layer():
    network = on_meta(CONFIGURATIONS["halonet_h0"], border="zero")
    asked = [module.asked for module in network.modules() if isinstance(module, HaloAttention)]
    assert {(p.block, p.halo, p.border, p.position) for p in asked} == {(8, 3, "zero", "split")}
    assert [p.heads for p in asked] == [4] * 3 + [8] * 13
    assert [p.dim_qk for p in asked] == [16] * 6 + [32] * 7 + [64] * 3
    assert [number for number, p in enumerate(asked) if p.stride == 2] == [3, 6, 13]


@pytest.mark.parametrize(("dim_out", "stride"), [(8, 1), (24, 1), (8, 2)])
def test_a_block_adds_to_its_shortcut_and_activates_the_sum(dim_out, stride):
    block = Bottleneck(8, HaloAttention(16, 32, heads=2, stride=stride), dim_out, stride).eval()
    nn.init.zeros_(block.widen[1].weight)
    x = torch.randn(1, 8, 9, 9)
    torch.testing.assert_close(block(x), F.silu(block.shortcut(x)))
    assert isinstance(block.shortcut, nn.Identity) == (dim_out == 8 and stride == 1)


@pytest.mark.parametrize("name", ["halonet_h0", "halonet_h7"])
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
    assert change > 1e-3
    assert logits.abs().max() < 1e4  # float16 ends at 65504


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    return HaloNet(CONFIGURATIONS["halonet_h0"], "haloed_blocked").double().eval()


@pytest.mark.parametrize("implementation", ["haloed_chunked", "sdpa_blocked", "naive_global", "unfold_local"])
def test_implementations_make_the_same_of_an_image(network, implementation):
    images = torch.randn(1, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    answers = []
    for name in ("haloed_blocked", implementation):
        for module in network.modules():
            if isinstance(module, HaloAttention):
                module.implementation = name
        answers.append(network(images))
    torch.testing.assert_close(answers[1], answers[0], atol=1e-10, rtol=1e-10)
