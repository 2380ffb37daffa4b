"""Counted operations against published figures and arithmetic by hand."""

from dataclasses import astuple

import pytest

from halobench.attention.implementation import AUTO
from halobench.models import zoo
from halobench.models.flop_count import refusal, work


def test_a_network_without_attention_is_what_torch_counts():
    counted = work("timm/resnet50", "", 224, 1, "inference")
    assert counted.flop == counted.flop_executed == pytest.approx(2 * 4.089e9, rel=1e-4)
    assert counted.params == 25_557_032


@pytest.mark.parametrize(
    ("name", "giga", "params"),
    [
        ("halonet26t", 3.19, 12.48e6),
        ("halonet50ts", 5.30, 22.73e6),
        ("halonet_h1", 3.00, 8.10e6),
        ("lamhalobotnet50ts_256", 5.02, 22.57e6),
    ],
)
def test_published_networks_agree_with_the_figures_of_timm(name, giga, params):
    counted = work(f"timm/{name}", "original", 256, 1, "inference")
    assert counted.flop_executed == pytest.approx(2e9 * giga, rel=0.01)  # timm's include normalisation
    assert counted.params == pytest.approx(params, abs=5_000)


def test_what_timms_layer_computes_in_vain_is_counted_as_executed_only():
    counted = work("timm/halonet26t", "original", 256, 1, "inference")
    window, layers = (
        12,
        [  # queries, channels, useful pairs of a head: 16x16; 16x16 to 8x8; 8x8, one block
            (16**2, 256, 160**2),
            (8**2, 512, 80**2),
            (8**2, 512, 64**2),
        ],
    )
    slots = sum(2 * 2 * c * (queries * window**2 - pairs) for queries, c, pairs in layers)
    offsets = sum(2 * 2 * c * queries * (window - 1) for queries, c, _ in layers)  # all 23 rows of each table
    assert counted.flop_executed - counted.flop == slots + offsets


def test_halonets_are_counted_by_the_formula():
    counted = work("halonet_h0", "haloed_blocked", 256, 1, "inference")
    maps = [(64, 64, 3), (32, 128, 3), (16, 256, 7), (8, 512, 3)]  # side, channels, layers of each stage
    positions = sum(4 * side**2 * 14 * channels // 2 * layers for side, channels, layers in maps)
    assert counted.flop_executed - positions == pytest.approx(2 * 2.259e9, rel=1e-3)
    in_vain = work("halonet_h0", "naive_global", 256, 1, "inference")
    assert counted.flop == in_vain.flop < counted.flop_executed < in_vain.flop_executed


def test_auto_is_counted_as_what_it_is_on_the_device():
    chosen = work("halonet_h0", AUTO["cpu"], 64, 1, "inference")
    assert work("halonet_h0", "auto", 64, 1, "inference", "cpu") == chosen


def test_work_grows_with_the_batch_and_training_is_three_times_inference():
    one = work("halonet_h0", "haloed_blocked", 64, 1, "inference")
    six = work("halonet_h0", "haloed_blocked", 64, 2, "training")
    assert astuple(six) == (6 * one.flop, 6 * one.flop_executed, None, one.params)


@pytest.mark.parametrize("name", ["timm/halonet26t", "timm/deit_small_patch16_224"])
def test_an_image_size_that_a_network_does_not_take_is_said(name):
    own = "original" if "halo" in name else ""
    assert refusal(name, own, 200, 1).startswith(f"{name} takes no images of 200 px: ")
    assert refusal(name, own, zoo.find(name).image_size, 1) is None


def test_an_unknown_direction_is_answered_with_the_known():
    with pytest.raises(ValueError, match="direction must be one of inference, training, not 'forward'"):
        work("halonet_h0", "auto", 64, 1, "forward")


@pytest.mark.parametrize("name", ["timm/cait_xxs24_224", "timm/pit_ti_224"])
def test_networks_whose_modules_are_given_parameters_are_counted(name):
    """torch's counter asserts that what a module is given has a gradient: it was taken for a refusal."""
    assert refusal(name, "", 224, 1) is None
    assert work(name, "", 224, 1, "inference").flop > 5e8
