"""The table of figures that others published."""

import pytest

from halobench.models import zoo
from halobench.published import published, top1


@pytest.mark.parametrize(
    ("model", "accuracy"),
    [
        pytest.param("halonet_h7", 0.849, id="read in the paper"),
        pytest.param("halonet_h0", 0.779, id="quoted by others only"),
        pytest.param("timm/tf_efficientnet_b0", 0.76882, id="evaluated again, beside a quoted one"),
        pytest.param("timm/halonet_h1", None, id="never trained"),
        pytest.param("timm/nobodys", None, id="unknown"),
    ],
)
def test_accuracy_of_a_model(model, accuracy):
    assert top1(model) == accuracy


def test_every_figure_has_a_source_and_is_in_base_units():
    table = published()
    assert table.drop(columns="top1").notna().all(axis=None)
    assert table["params"].between(4e6, 1e8).all()
    assert table["top1"].dropna().between(0.7, 0.9).all()
    assert table["verified"].dtype == bool


def test_no_result_is_there_twice():
    assert not published().duplicated(["model", "family", "label", "image_size"]).any()


def test_models_of_the_table_are_models_of_the_zoo():
    for model in set(published()["model"]) - {"halonet_50"}:
        assert zoo.find(model).name == model


def test_listed_models_are_in_the_table():
    assert set(zoo.LISTED) <= set(published()["model"])
