"""Accuracy over what an image costs here: a panel a setting, points by implementation, the Pareto front."""

from collections.abc import Callable, Iterator, Sequence
from textwrap import fill

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from halobench.report import Nothing, ordered
from halobench.report.words import said
from halobench.results.published import published

from .._axes import WIDTH, key
from .._models import across, fullest, measured_models
from .._select import asked
from .axes import HOLLOW, STEP, Cost, accuracy_axes, front, front_key, more_data, sources
from .labels import Label, label_points, room, settle

RESULT = ("model", "image_size", "top1")
LINE = 95  # letters of a title that fit side by side
INK = "#333333"
DASHED = {"linestyle": "--"}

Values = Callable[[pd.DataFrame], Sequence[pd.Series]]  # of an image: the middle, and its interval if any


def over_cost(frame: pd.DataFrame, cost: Cost, values: Values, title: str) -> Figure | str:
    """Draw accuracy over a cost of inference; a model's implementations lie on one height."""
    rows = measured_models(frame)
    rows = rows[rows["direction"] == "inference"]
    rows = rows.assign(cost=values(rows)[0])
    known = rows.dropna(subset="cost").merge(_published(), on=list(RESULT))
    settings = [name for name in asked(rows) if name not in (*RESULT, "direction")]
    places = fullest([part for _, part in known.groupby(settings, sort=False)])
    left_out = list(_left_out(rows, known, places))
    if not places:
        return Nothing(" ".join(["No model was measured where its accuracy is known.", *left_out]) + "\n")
    figure = _figure(places, settings, cost, values)
    figure.suptitle("\n".join([title, *fill(" ".join(left_out), LINE).splitlines()]), fontsize="medium")
    key(figure, _key(cost, places), columns=2)
    settle(figure)
    for axes, part in zip(figure.axes, places, strict=True):
        label_points(figure, axes, _labels(part), list(zip(part["cost"], part["top1"], strict=True)))
    return figure


def _published() -> pd.DataFrame:
    """The accuracies with the image size that they belong to; if read in their source; if with more data."""
    table = published().dropna(subset="top1")
    table = table.assign(more=more_data(table))
    return table.groupby(list(RESULT), as_index=False)[["verified", "more"]].any()


def _left_out(rows: pd.DataFrame, known: pd.DataFrame, places: Sequence[pd.DataFrame]) -> Iterator[str]:
    """A sentence that says how many measured cases are not shown, and why."""
    costed = rows.dropna(subset="cost")
    unknown = int((~costed["model"].isin(_published()["model"])).sum())
    counts = {
        "at another image size than that of the published accuracy": len(costed) - unknown - len(known),
        "without a published accuracy": unknown,
        "without a value on this axis": len(rows) - len(costed),
        "at other settings": len(known) - sum(map(len, places)),
    }
    told = [f"{count} {why}" for why, count in counts.items() if count]
    if told:
        yield f"Measured but left out: {', '.join(told)}."


def _figure(places: Sequence[pd.DataFrame], settings: Sequence[str], cost: Cost, values: Values) -> Figure:
    heights = [room(part["model"].nunique()) for part in places]
    figure = Figure(figsize=(WIDTH, 1.7 + sum(heights)), layout="constrained")
    shape = len(places), 1
    panels = figure.subplots(*shape, sharex=True, sharey=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, part in zip(panels, places, strict=True):
        _panel(axes, part, values)
        axes.set_title(said(part.iloc[0].to_dict(), settings, usual=False), fontsize="medium")
        accuracy_axes(axes, cost)
        axes.label_outer()
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, values: Values) -> None:
    for more, part in rows.groupby("more"):
        front(axes, part, **(DASHED if more else {}))
    for name in ordered(rows["implementation"]):
        for verified, part in rows[rows["implementation"] == name].groupby("verified"):
            face = {} if verified else {"markerfacecolor": HOLLOW}
            across(axes, name, values(part), part["top1"], linestyle="", **face)


def _key(cost: Cost, places: Sequence[pd.DataFrame]) -> dict[str, Artist]:
    """Beside the implementations: what is drawn hollow, and the fronts."""
    more = any(part["more"].any() for part in places)
    dashed = {"dashed: of models trained on ImageNet-21k first": Line2D([], [], **STEP | DASHED)}
    return sources() | front_key(cost) | (dashed if more else {})


def _labels(rows: pd.DataFrame) -> list[Label]:
    """A model's name at the implementation that costs least."""
    least = rows.sort_values("cost").drop_duplicates("model")
    return [
        (row["cost"], row["top1"], row["model"].removeprefix("timm/"), INK)
        for row in least.to_dict("records")
    ]
