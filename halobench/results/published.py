"""Figures that others published: accuracy, parameters and speed of a model, each with its source.

The tables are in `halobench/data`; `NOTICE` says whose figures they are.
"""

from functools import cache
from importlib import resources
from typing import Any

import pandas as pd

MORE_DATA = ", 21k"  # in the family of models that were trained on ImageNet-21k before ImageNet-1k


@cache
def published() -> pd.DataFrame:
    """One row a published result: `model family label image_size params top1 source verified`.

    `model` is the name in `halobench list` (several rows may share it: other training, other paper),
    `params` a count, `top1` a fraction of ImageNet-1k's validation images, `verified` whether the
    figure was read in its own source. What was not published is nan.
    """
    return _read("published.csv")


@cache
def timm_accuracy() -> pd.DataFrame:
    """What timm found with each of its weights: `model label image_size top1 source`.

    `label` is the whole name of the weights, `NAME.TAG`; `top1` a fraction of ImageNet-1k's validation
    images. Only models related to those listed here are in it.
    """
    return _read("timm_accuracy.csv")


@cache
def paper_speeds() -> pd.DataFrame:
    """Tables 4 to 6 of the HaloNet paper, measured on TPUv3: how much slower than a model beside it each is.

    The columns are `table model label image_size direction quantity value unit reference source slower`:
    the value is as printed but in base units, `reference` the label of what a model is compared with,
    `slower` the time of an image over that of the reference. `model` is empty where halobench has no such
    network: in pre-training the blocks were smaller. Table 5 does not name its direction: its differences
    match its hours of training, so it is put down as training.
    """
    table = _read("paper_speeds.csv").fillna({"model": ""})
    times = table["value"].where(table["unit"] != "1/s", 1 / table["value"])
    references = table["reference"].map(dict(zip(table["label"], times, strict=True)))
    return table.assign(slower=times / references)


@cache
def timm_throughput() -> pd.DataFrame:
    """What timm measured of the models listed here: on a GPU with the largest batch that went well.

    The columns are `model image_size direction device precision layout torch mode batch images_per_second
    source`: device, precision and torch in timm's words, the rest in ours; the source is a file of timm's
    `results/benchmark-*.csv` at aa4b5850. Left out are older versions of torch on a device that has newer
    ones, and image sizes other than the one halobench takes when none is asked for.
    """
    return _read("timm_throughput.csv")


def best(model: str, image_size: float | None = None) -> dict[str, Any] | None:
    """The row of a model's published accuracy, the first verified one if any; None where there is none.

    An accuracy is that of some weights: `label` says which. Of a name with a tag (`timm/resnet50.a1_in1k`)
    only what was published of those weights, and with an image size only what was for images of that size.
    """
    rows = _of_weights(model) if "." in model else published()[published()["model"] == model]
    rows = rows[rows["top1"].notna()]
    if image_size is not None:
        rows = rows[rows["image_size"] == image_size]
    rows = rows.sort_values("verified", ascending=False, kind="stable")
    return None if rows.empty else {str(name): value for name, value in rows.iloc[0].items()}


def top1(model: str, image_size: float | None = None) -> float | None:
    """The accuracy of `best`."""
    row = best(model, image_size)
    return None if row is None else float(row["top1"])


def _of_weights(model: str) -> pd.DataFrame:
    table = timm_accuracy()
    return table["timm/" + table["label"] == model].assign(verified=True)


def tag(label: str) -> str:
    """Return the tag of timm's weights in the label of a row; empty where it names none."""
    return label.partition(".")[2] if " " not in label else ""


def cited(words: str, verified: bool) -> str:
    """Mark a source, or a figure, that was not read in its own source."""
    return words if verified else f"{words} (second hand, not verified)"


def _read(name: str) -> pd.DataFrame:
    path = resources.files("halobench.results.data") / name
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file)
