"""Figures that others published: accuracy, parameters and image size of a model, each with its source.

The table is `halobench/data/published.csv`; `NOTICE` says whose figures they are.
"""

from functools import cache
from importlib import resources

import pandas as pd


@cache
def published() -> pd.DataFrame:
    """One row a published result: `model family label image_size params top1 source verified`.

    `model` is the name in `halobench list` (several rows may share it: other training, other paper),
    `params` a count, `top1` a fraction of ImageNet-1k's validation images, `verified` whether the
    figure was read in its own source.
    """
    path = resources.files("halobench.data") / "published.csv"
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file)


def top1(model: str, image_size: float | None = None) -> float | None:
    """The published accuracy of a model, the first verified one if any is; None where there is none.

    With an image size only what was published for images of that size.
    """
    rows = _rows(model)
    if image_size is not None:
        rows = rows[rows["image_size"] == image_size]
    return None if rows.empty else float(rows["top1"].iloc[0])


def verified(model: str) -> bool:
    """Whether that accuracy was read in its own source."""
    return bool(_rows(model)["verified"].any())


def _rows(model: str) -> pd.DataFrame:
    """With an accuracy, verified ones first."""
    table = published()
    rows = table[(table["model"] == model) & table["top1"].notna()]
    return rows.sort_values("verified", ascending=False, kind="stable")
