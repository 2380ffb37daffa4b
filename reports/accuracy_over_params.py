"""What accuracy a network of a given size was published to have: HaloNets among others."""

import re
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from halobench import text
from halobench.published import published
from halobench.report import report

from ._accuracy import HOLLOW, accuracy_axis, mark, sources
from ._axes import WIDTH
from ._labels import Label, label_points, settle
from ._rows import measured


@dataclass(frozen=True)
class Look:
    colour: str
    marker: str
    connected: bool = False  # models of one name but for its last number, which grow by one rule


LOOKS = {
    "HaloNet (paper)": Look("#D55E00", "o", connected=True),
    "HaloNet (timm)": Look("#B04A8A", "D"),
    "EfficientNet (paper)": Look("#0072B2", "s", connected=True),
    "EfficientNet (timm)": Look("#3490C8", "^", connected=True),
}
OTHERS = Look("#555555", "v")
LONG = re.compile(r"^(tf_)?efficientnet_|(_patch\d+|_window\d+).*$|\..*$")  # in names of timm


@report("accuracy_over_params")
def accuracy_over_params(frame: pd.DataFrame) -> Figure | str:
    """Published accuracy over parameters."""
    rows = published().dropna(subset=["params", "top1"]).sort_values("params")
    if rows.empty:
        return "There are no published accuracies to show.\n"
    rows = rows.assign(measured=rows["model"].isin(measured(frame, "model")["model"]))
    by_timm = rows["family"].str.endswith("(timm)")
    parts = {"in papers": rows[~by_timm], "by timm, trained and measured there": rows[by_timm]}
    parts = {title: part for title, part in parts.items() if len(part)}
    figure = Figure(figsize=(WIDTH, 1.5 + 4 * len(parts)), layout="constrained")
    panels = figure.subplots(len(parts), sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, (title, part) in zip(panels, parts.items(), strict=True):
        _panel(axes, part, title)
    _explain(figure, rows)
    settle(figure)
    for axes, part in zip(panels, parts.values(), strict=True):
        label_points(figure, axes, _labels(part), list(zip(part["params"], part["top1"], strict=True)))
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, title: str) -> None:
    for family, members in rows.groupby("family"):
        look = LOOKS.get(str(family), OTHERS)
        _points(axes, members[members["verified"]], look, look.colour)
        _points(axes, members[~members["verified"]], look, HOLLOW)
        for _, series in members.groupby(members["model"].str.rstrip("0123456789")) if look.connected else ():
            axes.plot(series["params"], series["top1"], color=look.colour, linewidth=1, alpha=0.5, zorder=1)
    ringed = rows[rows["measured"]]
    axes.plot(ringed["params"], ringed["top1"], "o", color="black", markerfacecolor="none", markersize=12)
    axes.set_title(f"Accuracy over parameters, published {title}", fontsize="medium")
    axes.set(xscale="log", xlabel="parameters")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: text.count(value)))
    accuracy_axis(axes)
    axes.label_outer()


def _points(axes: Axes, rows: pd.DataFrame, look: Look, fill: str) -> None:
    axes.plot(
        rows["params"], rows["top1"], look.marker, color=look.colour, markerfacecolor=fill, markersize=6
    )


def _explain(figure: Figure, rows: pd.DataFrame) -> None:
    """The legend: families, and what hollow and ringed markers mean."""
    looks = {family: LOOKS.get(family, OTHERS) for family in sorted(set(rows["family"]))}
    families = [mark(look.colour, marker=look.marker, color=look.colour) for look in looks.values()]
    marks = sources() | {"ringed: measured in this run": mark("none", markersize=12)}
    figure.legend(
        [*families, *marks.values()], [*looks, *marks], loc="outside lower center", ncols=3, frameon=False
    )


def _labels(rows: pd.DataFrame) -> list[Label]:
    """A model's name at the best of its results."""
    best = rows.sort_values("top1", ascending=False).drop_duplicates(["family", "model"]).to_dict("records")
    return [
        (row["params"], row["top1"], LONG.sub("", row["label"]), LOOKS.get(row["family"], OTHERS).colour)
        for row in best
    ]
