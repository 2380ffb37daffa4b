"""The table of figures that others published."""

import pytest

from halobench.models import zoo
from halobench.results.published import (
    best,
    paper_speeds,
    published,
    tag,
    timm_accuracy,
    timm_throughput,
    top1,
)

UNPUBLISHED = {  # on ImageNet, the parameters of the backbones of detectors too
    f"resnet{depth}_{inside}" for depth in (50, 101) for inside in ("se", "local_b8", "local_b32")
}


@pytest.mark.parametrize(
    ("model", "accuracy"),
    [
        pytest.param("halonet_h7", 0.849, id="read in the paper"),
        pytest.param("halonet_h0", 0.779, id="quoted by others only"),
        pytest.param("timm/tf_efficientnet_b0", 0.76882, id="evaluated again, beside a quoted one"),
        pytest.param("timm/resnet50", 0.80382, id="the first of several"),
        pytest.param("halonet_h4_base128_512", 0.858, id="at its own image size"),
        pytest.param("timm/halonet_h1", None, id="never trained"),
        pytest.param("timm/nobodys", None, id="unknown"),
        pytest.param("timm/tf_efficientnet_b1", 0.7884, id="of the weights that its label names"),
        pytest.param("timm/tf_efficientnet_b1.ns_jft_in1k", 0.81388, id="of other weights"),
        pytest.param("timm/tf_efficientnet_b1.nobodys", None, id="of unknown weights"),
    ],
)
def test_accuracy_of_a_model(model, accuracy):
    assert top1(model) == accuracy


def test_every_figure_has_a_source_and_is_in_base_units():
    table = published()
    assert table.drop(columns=["params", "top1"]).notna().all(axis=None)
    assert table["params"].dropna().between(4e6, 1e9).all()
    assert table["top1"].dropna().between(0.7, 0.9).all()
    assert table["verified"].dtype == bool


def test_no_result_is_there_twice():
    assert not published().duplicated(["model", "family", "label", "image_size"]).any()


def test_models_of_the_tables_are_models_of_the_zoo():
    for table in (published(), paper_speeds(), timm_throughput()):
        for model in set(table["model"]) - {""}:
            assert zoo.find(model).name == model


def test_listed_models_are_in_the_table_but_for_backbones_of_detectors():
    assert set(zoo.LISTED) - set(published()["model"]) <= UNPUBLISHED


def test_what_was_trained_on_more_data_says_so_twice():
    more = published()[published()["family"].str.contains("21k")]
    assert more["source"].str.endswith("trained on ImageNet-21k first").all()
    assert more["top1"].min() > 0.849  # that of H7, the best without


def test_accuracy_of_a_model_at_an_image_size():
    assert top1("timm/resnet50", 256) == 0.776
    assert top1("timm/resnet50", 128) is None


def test_accuracy_of_weights_at_an_image_size():
    assert top1("timm/resnet50.tv2_in1k", 176) == 0.79434
    assert top1("timm/resnet50.tv2_in1k", 224) == 0.80846
    assert top1("timm/resnet50.tv2_in1k", 200) is None


def test_what_timm_found_is_the_same_in_both_tables():
    ours = published()[published()["source"] == "timm aa4b5850 results/results-imagenet.csv"]
    both = ours.merge(timm_accuracy(), on=["model", "label", "image_size"], how="left")
    assert len(both) > 30
    assert (both["top1_x"] == both["top1_y"]).all()


def test_weights_are_of_their_model_once_a_size_and_have_a_tag():
    table = timm_accuracy()
    assert not table.duplicated(["label", "image_size"]).any()
    assert ("timm/" + table["label"].str.partition(".")[0] == table["model"]).all()
    assert table["label"].map(tag).str.len().gt(0).all()
    assert table["top1"].between(0.6, 0.9).all()


@pytest.mark.parametrize(
    ("model", "known"),
    [("timm/resnet50", "a1_in1k"), ("halonet_h0", ""), ("timm/vit_large_patch16_384", "")],
)
def test_a_label_names_a_tag_or_none(model, known):
    row = best(model)
    assert row is not None
    assert tag(row["label"]) == known


@pytest.mark.parametrize(
    ("label", "slower"),
    [
        pytest.param("H7", 1.9, id="printed as a ratio"),
        pytest.param("R50 SE attention b8 h3", 540 / 446, id="printed as a time"),
        pytest.param("H4 base 128, 256 px", 377 / 445, id="printed as a time, no model here"),
        pytest.param("H4 base 128 conv 1-2, 512 px", 74.6 / 120.2, id="printed as a speed"),
    ],
)
def test_the_papers_speeds_are_times_over_that_of_a_reference(label, slower):
    (row,) = paper_speeds()[paper_speeds()["label"] == label].itertuples()
    assert row.slower == pytest.approx(slower)


def test_a_table_of_the_paper_has_one_reference_and_that_is_in_it():
    for _, part in paper_speeds().groupby(["table", "direction"]):
        (reference,) = set(part["reference"])
        assert part.loc[part["label"] == reference, "slower"].tolist() == [1]


def test_a_speed_of_timm_is_of_what_its_file_says_and_its_file_has_resnet50():
    table = timm_throughput()
    known = table["source"].str.extract(r"^(infer|train)-(\w+)-(nchw|nhwc)-pt\d+-\w+-\w+(-dynamo)?$")
    assert (known[0].map({"infer": "inference", "train": "training"}) == table["direction"]).all()
    assert (known[1] == table["precision"]).all()
    assert (known[2].map({"nchw": "nchw", "nhwc": "channels_last"}) == table["layout"]).all()
    assert (known[3].notna() == (table["mode"] == "compiled")).all()
    assert set(table.loc[table["model"] == "timm/resnet50", "source"]) == set(table["source"])


def test_a_speed_of_timm_is_at_the_image_size_that_is_measured_here():
    table = timm_throughput()
    sizes = {model: zoo.find(model).image_size for model in set(table["model"])}
    assert (table["model"].map(sizes) == table["image_size"]).all()
    assert not table.duplicated(["model", "source"]).any()
