"""Are the paper's networks as slow here as it says? Its relative times beside those measured."""

from collections.abc import Iterator

import pandas as pd

from halobench import units
from halobench.axes import Row
from halobench.report import Nothing, ordered, report
from halobench.report.markdown import plain, table
from halobench.report.words import said
from halobench.results import published

from ._models import SETTINGS, beside, measured_models, slower

HEADER = ("network", "model", "image [px]", "paper, TPUv3")
INTRODUCTION = (
    "The time of an image over that of another model: the paper's on TPUv3, and measured here, each at its "
    "image size in the table, both at the same settings; ± by the 95 % intervals of both medians.\n"
)
NOTES = {5: " The paper does not say that this is training; its differences match its hours of training."}


@report("paper_speeds", section="published", order=20)
def paper_speeds(frame: pd.DataFrame) -> str:
    """Relative speeds of the paper's tables 4 to 6, beside those measured."""
    sections = list(_sections(measured_models(frame)))
    if not sections:
        return Nothing(
            "No network of the paper's tables 4 to 6 was measured together with the one that it is compared "
            "with there, at the image sizes of the table and at like settings.\n"
        )
    return "\n".join([INTRODUCTION, *sections])


def _sections(rows: pd.DataFrame) -> Iterator[str]:
    """One a table, direction and setting at which any of its networks was measured beside the reference."""
    for _, printed in published.paper_speeds().groupby(["table", "direction"], sort=False):
        known = rows.merge(printed[["model", "image_size", "direction", "label", "reference"]])
        own = known["label"] == known["reference"]
        compared = beside(known, known[own])
        middle, low, high = slower(compared)
        compared = compared.assign(ratio=middle, low=low, high=high)
        for _, part in compared.groupby(list(SETTINGS)):
            if part["label"].nunique() > 1:
                yield _section(printed, part)


def _section(printed: pd.DataFrame, part: pd.DataFrame) -> str:
    names = ordered(part["implementation"])
    cells = {(row["label"], row["implementation"]): _ratio(row) for row in part.to_dict("records")}
    lines = [
        [
            plain(row["label"]),
            plain(row["model"]) or units.NOTHING,
            units.number(row["image_size"]),
            units.ratio(row["slower"]),
            *(cells.get((row["label"], name), units.NOTHING) for name in names),
        ]
        for row in printed.to_dict("records")
    ]
    first = printed.iloc[0]
    where = said(part.iloc[0].to_dict(), SETTINGS, usual=False)
    words = f"Table {first['table']}, over {plain(first['reference'])}; here {plain(where)}."
    return f"{words}{NOTES.get(first['table'], '')}\n\n" + table(
        [*HEADER, *map(plain, names)], lines, words=2
    )


def _ratio(row: Row) -> str:
    interval = units.spread(row["low"], row["high"], row["ratio"])
    known = interval != units.NOTHING and row["label"] != row["reference"]
    return units.ratio(row["ratio"]) + (f" {interval}" if known else "")
