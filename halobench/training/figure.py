"""The figure of training curves: loss, how far implementations differ, and accuracy."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from halobench.report.style import colour, marker, ordered
from halobench.training.analysis import CONVOLUTION, HALONET, compared, differences

LINES = {"float32": "--", "float64": "-"}


def curves(frame: pd.DataFrame) -> Figure:
    """Loss with each implementation, how far those are apart, and the accuracy of every seed."""
    rows = frame.dropna(subset="epoch")
    same, single = compared(rows), rows[rows["dtype"] == "float32"]
    as_wide = single[single["width"] == same["width"].iloc[0]]
    figure = Figure(figsize=(8, 9), layout="constrained")
    loss, apart, accuracy = figure.subplots(3, sharex=True)
    _losses(loss, same[same["dtype"] == "float32"])
    _apart(apart, same)
    _accuracies(accuracy, as_wide, same["model"].iloc[0])
    accuracy.set_xlabel("epoch")
    accuracy.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (loss, apart, accuracy):
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
    return figure


def _losses(axes: Axes, rows: pd.DataFrame) -> None:
    for place, name in enumerate(ordered(rows["implementation"])):
        line = rows[rows["implementation"] == name].set_index("epoch")["loss"]
        axes.plot(line, color=colour(name), marker=marker(name), markersize=10 - place, label=name)
    axes.set(ylabel="training loss, mean of the epoch", title="The same network, seed and data (float32)")
    axes.legend(frameon=False)


def _apart(axes: Axes, rows: pd.DataFrame) -> None:
    for dtype, part in rows.groupby("dtype"):
        for name, line in differences(part).items():
            look: dict[str, Any] = {"color": colour(str(name)), "marker": marker(str(name))}
            axes.plot(line[line > 0], linestyle=LINES[str(dtype)], markersize=5, **look)
        axes.plot([], color="black", linestyle=LINES[str(dtype)], label=dtype)
    first = ordered(rows["implementation"])[0]
    axes.set(yscale="log", ylabel="relative, largest step of the epoch")
    axes.set_title(f"How far the losses are from {first}'s, from the same seed")
    axes.legend(frameon=False)


def _accuracies(axes: Axes, rows: pd.DataFrame, model: str) -> None:
    """A line a run of this network, and of the one with convolution in place of its attention."""
    families = {HALONET: rows[rows["model"] == model], CONVOLUTION: rows[rows["block"].isna()]}
    for (family, part), look in zip(families.items(), ("#D55E00", "#0072B2"), strict=True):
        for _, line in part.groupby("run"):
            axes.plot(line["epoch"], line["accuracy"], color=look, linewidth=1)
        axes.plot([], color=look, label=family)
    axes.set(ylabel="test accuracy [%]", title="Every run; convolution has as many parameters (float32)")
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.legend(frameon=False)
