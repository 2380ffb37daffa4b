"""Do timm's networks keep here the order that timm found on its devices? Speeds over that of ResNet-50."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from halobench import units
from halobench.report import Nothing, ordered, report
from halobench.report.words import said
from halobench.results import published

from ._accuracy.axes import HOLLOW, mark
from ._axes import WIDTH, key, plain_numbers
from ._models import SETTINGS, across, beside, fullest, measured_models, slower

RESNET = "timm/resnet50"
TITLE = """Images a second over those of resnet50 at 224 px, more is better
in colour: measured here, resnet50 at the same settings, with the 95 % intervals of both
grey: published by timm, resnet50 on the same device, at other batches"""
HEIGHT = 0.3  # inches, of a line
GREY = "0.45"
MARKERS = "v^sDo*"  # of timm's devices
GPU = "RTX"  # in the names of those that are

Look = Mapping[str, Any]  # of a marker


@report("timm_throughput", section="published", order=30)
def timm_throughput(frame: pd.DataFrame) -> Figure | str:
    """Speeds of timm's networks over ResNet-50's, published and measured."""
    table = _relative(published.timm_throughput())
    rows = measured_models(frame).merge(table[["model", "image_size", "direction"]].drop_duplicates())
    is_resnet = rows["model"] == RESNET
    known = beside(rows[~is_resnet], rows[is_resnet])
    groups = [part for _, part in known.groupby(list(SETTINGS), sort=False)]
    parts = fullest([part for part in groups if len(_alike(table, part))])
    if not parts:
        return Nothing(
            f"No network whose speed timm publishes was measured beside `{RESNET}`, both at the image size "
            "of timm's figures, at the same settings and on such a device.\n"
        )
    return _figure(parts, [_alike(table, part) for part in parts])


def _figure(parts: Sequence[pd.DataFrame], published_too: Sequence[pd.DataFrame]) -> Figure:
    """A panel a setting: what was measured, and what timm published of the same models."""
    heights = [part["model"].nunique() + 1 for part in parts]
    figure = Figure(figsize=(WIDTH, 2 + 0.5 * len(parts) + HEIGHT * sum(heights)), layout="constrained")
    shape = len(parts), 1
    panels = figure.subplots(*shape, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    looks = _looks(pd.concat(published_too))
    for axes, part, theirs in zip(panels, parts, published_too, strict=True):
        _panel(axes, part, theirs, looks)
        axes.label_outer()
    figure.suptitle(TITLE, fontsize="medium")
    key(figure, {words: mark(**look) for words, look in looks.items()})
    return figure


def _relative(table: pd.DataFrame) -> pd.DataFrame:
    """Add a column `ratio`: the speed over ResNet-50's in the same file of timm's."""
    speeds = table[table["model"] == RESNET].set_index("source")["images_per_second"]
    return table.assign(ratio=table["images_per_second"] / table["source"].map(speeds))


def _alike(table: pd.DataFrame, part: pd.DataFrame) -> pd.DataFrame:
    """Return timm's figures for these models, in the same direction and on the same kind of device."""
    first = part.iloc[0]
    on_gpu = table["device"].str.contains(GPU)
    kind = on_gpu if first["device"] == "cuda" else ~on_gpu
    return table[kind & (table["direction"] == first["direction"]) & table["model"].isin(part["model"])]


def _looks(theirs: pd.DataFrame) -> dict[str, Look]:
    """A marker a device, hollow where the network was not compiled; by the words of the legend."""
    devices = list(dict.fromkeys(theirs["device"]))
    style = {"color": GREY, "linestyle": "", "markersize": 5}
    return {
        _words(device, mode): style
        | {
            "marker": MARKERS[devices.index(device)],
            "markerfacecolor": GREY if mode == "compiled" else HOLLOW,
        }
        for device, mode in sorted(set(zip(theirs["device"], theirs["mode"], strict=True)))
    }


def _words(device: str, mode: str) -> str:
    return f"timm, {device}, {mode}"


def _panel(axes: Axes, part: pd.DataFrame, theirs: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """A line a model, the fastest of timm's on top, in it the implementations one below the other."""
    order = theirs.groupby("model")["ratio"].median()
    sizes = part.assign(published=part["model"].map(order)).sort_values("published", ascending=False)
    lines = {model: place for place, model in enumerate(dict.fromkeys(sizes["model"]))}
    axes.set_yticks(range(len(lines)), [model.removeprefix("timm/") for model in lines], fontsize="small")
    axes.set_ylim(len(lines) - 0.5, -0.5)
    for (device, mode), figures in theirs.groupby(["device", "mode"]):
        axes.plot(figures["ratio"], figures["model"].map(lines), **looks[_words(device, mode)])
    for model, group in part.groupby("model"):
        names = ordered(group["implementation"])
        for place, name in enumerate(names):
            own = group[group["implementation"] == name]
            height = lines[model] + 0.7 * ((place + 0.5) / len(names) - 0.5)
            across(axes, name, [1 / ratio for ratio in slower(own)], [height], linestyle="")
    axes.axvline(1, color="0.8", linewidth=0.8, zorder=0)
    axes.set(xscale="log", xlabel="images a second, over those of resnet50")
    axes.set_title(said(part.iloc[0].to_dict(), SETTINGS, usual=False), fontsize="medium")
    axes.grid(color="0.93")
    axes.set_axisbelow(True)
    plain_numbers(axes, "x", units.ratio)
