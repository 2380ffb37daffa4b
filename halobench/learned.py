"""What came of training: from rows, one a run and epoch, to points, tables and the figure of the curves."""

from math import inf
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from scipy import stats

from halobench import text
from halobench.report import colour, marker, ordered

CURVES = ["run", "model", "implementation", "block", "halo", "width", "params", "image_size"]
CURVES += ["seed", "device", "dtype", "epoch", "loss", "losses", "accuracy", "tested", "seconds", "reason"]
PUBLISHED = ["model", "family", "label", "image_size", "params", "top1", "source", "verified"]
HALONET, CONVOLUTION = "HaloNet", "convolution in its place"  # families
LINES = {"float32": "--", "float64": "-"}

Cells = list[list[str]]  # of a table, its header first


def compared(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the network that every implementation was trained in."""
    first = frame.iloc[0]
    return frame[(frame["model"] == first["model"]) & (frame["seed"] == first["seed"])]


def differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Of losses of one dtype, relative to the first implementation's: the largest of an epoch's steps.

    Epoch by implementation; infinite where a loss is no number.
    """
    steps = rows.dropna(subset="epoch").explode("losses").astype({"losses": float})
    steps["step"] = steps.groupby("implementation").cumcount()
    losses = steps.pivot(index=["epoch", "step"], columns="implementation", values="losses")
    losses = losses[ordered(losses.columns)]
    apart = losses.iloc[:, 1:].div(losses.iloc[:, :1].squeeze(axis=1), axis=0).sub(1).abs()
    return apart.fillna(inf).groupby("epoch").max()


def furthest(frame: pd.DataFrame, dtype: str) -> float:
    """The largest of them; 0 where nothing was compared."""
    rows = compared(frame)
    return float(differences(rows[rows["dtype"] == dtype]).to_numpy().max(initial=0.0))


def points(frame: pd.DataFrame, implementation: str) -> pd.DataFrame:
    """A row a network with this attention inside, with the columns of published figures and the spread.

    `top1` is the mean of the seeds, `least` and `most` are the extremes, `low` and `high` Wilson's 95 %
    interval of that mean on so many test images.
    """
    rows = frame[(frame["dtype"] == "float32") & frame["implementation"].isin(["", implementation])]
    last = rows[rows["epoch"] == rows["epoch"].max()]
    return pd.DataFrame(_point(part) for _, part in last.groupby("model", sort=False))


def _point(part: pd.DataFrame) -> dict[str, object]:
    row, accuracy = part.iloc[0], part["accuracy"]
    halo = "" if pd.isna(row["halo"]) else f" b{row['block']:.0f} h{row['halo']:.0f}"
    test = stats.binomtest(round(accuracy.mean() * row["tested"]), int(row["tested"]))
    low, high = test.proportion_ci(method="wilson")
    point = {
        "model": row["model"],
        "family": HALONET if halo else CONVOLUTION,
        "label": f"w{row['width']}{halo}",
        "image_size": row["image_size"],
        "params": row["params"],
        "top1": accuracy.mean(),
        "source": f"scikit-learn's digits, mean of {part['seed'].nunique()} seeds",
        "verified": True,
    }
    return point | {"least": accuracy.min(), "most": accuracy.max(), "low": low, "high": high}


def compared_table(rows: pd.DataFrame) -> Cells:
    """An implementation and dtype a line; what could not be trained has the reason."""
    cells = [["implementation", "dtype", "accuracy", "largest difference of a loss", "an epoch", "left out"]]
    for dtype, part in rows.groupby("dtype", sort=False):
        apart = differences(part).max()
        for name in ordered(part["implementation"]):
            own = part[part["implementation"] == name]
            last, difference = own.iloc[-1], apart.get(name)
            shown = text.NOTHING if difference is None else f"{difference:.1e}"
            measured = text.percent(last["accuracy"]), shown, text.seconds(own["seconds"].median())
            cells.append([name, str(dtype), *measured, "" if pd.isna(last["reason"]) else last["reason"]])
    return cells


def points_table(found: pd.DataFrame) -> Cells:
    """A network a line."""
    cells = [["network", "parameters", "accuracy", "seeds from", "to", "95 % interval"]]
    for row in found.to_dict("records"):
        mean, least, most, low, high = (
            text.percent(row[name]) for name in ("top1", "least", "most", "low", "high")
        )
        name = f"{row['family']} {row['label']}"
        cells.append([name, str(row["params"]), mean, least, most, f"{low} to {high}"])
    return cells


def markdown(cells: Cells) -> str:
    """Names are flush left, what follows flush right."""
    header, *rows = cells
    rule = [":--", *["--:"] * (len(header) - 1)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, rule, *rows))


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
