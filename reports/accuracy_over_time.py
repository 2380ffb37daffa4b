"""What a network's accuracy costs here: published top-1 over the time that an image took."""

from collections.abc import Iterator, Sequence
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from halobench import text
from halobench.published import published
from halobench.report import ordered, report

from ._accuracy import HOLLOW, accuracy_axis, sources
from ._axes import WIDTH, key, plain_numbers
from ._labels import Label, label_points, settle
from ._models import across, image_times, measured_models
from ._rows import asked, said

RESULT = ("model", "image_size", "top1")
TITLE = "Published accuracy over the time of an image in inference, median and 95 % interval"
LINE = 95  # letters of a title that fit side by side
MOST = 4  # panels: the places at which the most was measured
INK = "#333333"


@report("accuracy_over_time")
def accuracy_over_time(frame: pd.DataFrame) -> Figure | str:
    """Published accuracy over the measured time of an image."""
    rows = measured_models(frame)
    rows = rows[rows["direction"] == "inference"]
    known = rows.merge(_published(), on=list(RESULT))
    settings = [name for name in asked(rows) if name not in (*RESULT, "direction")]
    places = _places([part for _, part in known.groupby(settings, sort=False)])
    left_out = list(_left_out(rows, known, places))
    if not places:
        return " ".join(["No model was measured where its accuracy is known.", *left_out]) + "\n"
    figure = _figure(places, settings)
    figure.suptitle("\n".join([TITLE, *fill(" ".join(left_out), LINE).splitlines()]), fontsize="medium")
    key(figure, sources() | {"step: no other is faster and as accurate": Line2D([], [], color="0.7")})
    settle(figure)
    for axes, part in zip(figure.axes, places, strict=True):
        label_points(figure, axes, _labels(part), list(zip(_times(part)[0], part["top1"], strict=True)))
    return figure


def _places(groups: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The fullest; those with a single model compare nothing, and are shown where there is no other."""
    telling = [part for part in groups if part["model"].nunique() > 1] or list(groups)
    return sorted(telling, key=len, reverse=True)[:MOST]


def _figure(places: Sequence[pd.DataFrame], settings: Sequence[str]) -> Figure:
    figure = Figure(figsize=(WIDTH, 1.7 + 3.4 * len(places)), layout="constrained")
    panels = figure.subplots(len(places), sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, part in zip(panels, places, strict=True):
        _panel(axes, part)
        axes.set_title(said(part.iloc[0].to_dict(), settings, usual=False), fontsize="medium")
    return figure


def _published() -> pd.DataFrame:
    """The accuracies with the image size that they belong to, and whether they were read in their source."""
    table = published().dropna(subset="top1")
    return table.groupby(list(RESULT), as_index=False)["verified"].any()


def _left_out(rows: pd.DataFrame, known: pd.DataFrame, places: Sequence[pd.DataFrame]) -> Iterator[str]:
    """Sentences that say how many measured cases are not shown, and why."""
    unknown = int((~rows["model"].isin(_published()["model"])).sum())
    counts = {
        "at another image size than that of the published accuracy": len(rows) - unknown - len(known),
        "without a published accuracy": unknown,
        "at other settings": len(known) - sum(map(len, places)),
    }
    told = [f"{count} {why}" for why, count in counts.items() if count]
    if told:
        yield f"Measured but left out: {', '.join(told)}."


def _times(rows: pd.DataFrame) -> list[pd.Series]:
    """In the unit of the axis."""
    return [seconds / text.UNITS["ms"] for seconds in image_times(rows)]


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    """A model's implementations lie on one height: they compute the same."""
    rows = rows.assign(time=_times(rows)[0]).sort_values("time")
    best = rows[rows["top1"] > rows["top1"].cummax().shift(fill_value=0)]
    axes.plot(best["time"], best["top1"], drawstyle="steps-post", color="0.7", zorder=1)
    for name in ordered(rows["implementation"]):
        for verified, part in rows[rows["implementation"] == name].groupby("verified"):
            face = {} if verified else {"markerfacecolor": HOLLOW}
            across(axes, name, _times(part), part["top1"], linestyle="", **face)
    axes.set(xscale="log", xlabel="time of an image [ms]")
    accuracy_axis(axes)
    plain_numbers(axes, "x")
    axes.label_outer()


def _labels(rows: pd.DataFrame) -> list[Label]:
    """A model's name at its fastest implementation."""
    fastest = rows.assign(time=_times(rows)[0]).sort_values("time").drop_duplicates("model")
    return [(row["time"], row["top1"], str(row["model"]), INK) for row in fastest.to_dict("records")]
