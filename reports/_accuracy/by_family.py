"""Accuracy over what a network costs on any machine: a point a published result, by family, and the front."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .._axes import WIDTH
from .axes import DATA, HOLLOW, Cost, accuracy_axes, front, front_key, mark, more_data, sources
from .labels import Label, label_points, room, settle


@dataclass(frozen=True)
class Look:
    colour: str
    marker: str
    connected: bool = False  # models of one name but for its last number, which grow by one rule


LOOKS = {
    "HaloNet (paper)": Look("#D55E00", "o", connected=True),
    "HaloNet with convolution (paper)": Look("#A8480A", "P"),
    "HaloNet, 21k (paper)": Look("#D55E00", "*"),
    "HaloNet (timm)": Look("#B04A8A", "D"),
    "EfficientNet (paper)": Look("#0072B2", "s", connected=True),
    "EfficientNet (timm)": Look("#3490C8", "^", connected=True),
    "ResNet (paper)": Look("#000000", "X"),
    "baselines (timm)": Look("#555555", "v"),
    "others, 21k (paper)": Look("#555555", "d"),
}
OTHERS = (Look("#D55E00", "o"), Look("#0072B2", "s"), Look("#555555", "v"), Look("#009E73", "X"))
LONG = re.compile(r"efficientnet_|(_patch\d+|_window\d+).*$|\..*$")  # in names of timm

Parts = Mapping[str, pd.DataFrame]  # by the title of their panel


def published_parts(rows: pd.DataFrame) -> Parts:
    """Who published them; those trained on more data apart."""
    more, by_timm = more_data(rows), rows["family"].str.endswith("(timm)")
    parts = {
        "published in papers": rows[~more & ~by_timm],
        "published by timm, trained and measured there": rows[~more & by_timm],
        "published, trained on ImageNet-21k first": rows[more],
    }
    return {title: part for title, part in parts.items() if len(part)}


def by_family(parts: Parts, cost: Cost, title: str, data: str = DATA) -> Figure:
    """A panel a part, of rows `family model label cost top1 verified measured`."""
    rows = pd.concat(parts.values())
    looks = _looks(rows["family"])
    heights = [room(len(_labels(part, looks))) for part in parts.values()]
    figure = Figure(figsize=(WIDTH, 2.2 + sum(heights)), layout="constrained")
    panels = figure.subplots(len(parts), squeeze=False, height_ratios=heights)[:, 0]
    for axes, (words, part) in zip(panels, parts.items(), strict=True):
        if not more_data(part).any():  # these cost so much more that a scale for all would show little
            axes.sharex(panels[0])
            axes.sharey(panels[0])
        _panel(axes, part, looks)
        axes.set_title(f"{title}, {words}" if words else title, fontsize="medium")
        accuracy_axes(axes, cost, data)
    _explain(figure, rows, looks, cost)
    settle(figure)
    for axes, part in zip(panels, parts.values(), strict=True):
        label_points(figure, axes, _labels(part, looks), list(zip(part["cost"], part["top1"], strict=True)))
    return figure


def _looks(families: Iterable[str]) -> dict[str, Look]:
    """Families that nobody foresaw take turns."""
    others = cycle(OTHERS)
    return {family: LOOKS.get(family) or next(others) for family in sorted(set(families))}


def _panel(axes: Axes, rows: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    front(axes, rows)
    for family, members in rows.sort_values("cost").groupby("family"):
        look = looks[str(family)]
        _points(axes, members[members["verified"]], look, look.colour)
        _points(axes, members[~members["verified"]], look, HOLLOW)
        for _, series in members.groupby(members["model"].str.rstrip("0123456789")) if look.connected else ():
            best = series.groupby("cost")["top1"].max()
            axes.plot(best, color=look.colour, linewidth=1, alpha=0.5, zorder=1)
    ringed = rows[rows["measured"]]
    axes.plot(ringed["cost"], ringed["top1"], "o", color="black", markerfacecolor="none", markersize=12)


def _points(axes: Axes, rows: pd.DataFrame, look: Look, fill: str) -> None:
    axes.plot(rows["cost"], rows["top1"], look.marker, color=look.colour, markerfacecolor=fill, markersize=6)


def _explain(figure: Figure, rows: pd.DataFrame, looks: Mapping[str, Look], cost: Cost) -> None:
    """The legend: families, the front, and what hollow and ringed markers mean."""
    families = [mark(look.colour, marker=look.marker, color=look.colour) for look in looks.values()]
    marks = front_key(cost)
    if not rows["verified"].all():
        marks |= sources()
    if rows["measured"].any():
        marks |= {"ringed: measured in this run": mark("none", markersize=12)}
    handles, words = [*families, *marks.values()], [*looks, *marks]
    figure.legend(handles, words, loc="outside lower center", ncols=2, frameon=False)


def _labels(rows: pd.DataFrame, looks: Mapping[str, Look]) -> list[Label]:
    """A model's name at the best of its results."""
    best = rows.sort_values("top1", ascending=False).drop_duplicates(["family", "model"])
    return [
        (row["cost"], row["top1"], LONG.sub("", row["label"]), looks[row["family"]].colour)
        for row in best.to_dict("records")
    ]
