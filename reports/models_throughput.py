"""How many images a second the models do: a line for each size, the models one below the other."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from halobench.report import Nothing, ordered, report
from halobench.report.words import said

from ._axes import WIDTH, key, outer, plain_numbers
from ._models import across, image_times, measured_models
from ._select import alike, in_common

ASKED = ("model", "image_size", "batch", "mode")  # in these what is shown may differ
HEIGHT = 0.26  # inches, of a line
TITLE = "Images a second, median and 95 % interval, more is better"


@report("models_throughput", section="models", order=20)
def models_throughput(frame: pd.DataFrame) -> Figure | str:
    """Images a second of models, over image size and over batch."""
    rows = measured_models(frame)
    if rows.empty:
        return Nothing("No model was measured.\n")
    largest_first = rows.sort_values(["image_size", "batch"], ascending=False, kind="stable")
    comparable = alike(largest_first, ASKED)
    parts = dict(_parts(comparable))
    figure = _figure(parts, sorted(set(comparable["direction"])))
    hidden = len(rows) - pd.concat(parts.values())["case"].nunique()
    figure.suptitle("\n".join([TITLE, in_common(comparable, ASKED), *_hidden(hidden)]), fontsize="medium")
    key(figure)
    return figure


def _figure(parts: Mapping[str, pd.DataFrame], directions: Sequence[str]) -> Figure:
    """Parts one below the other, each as high as its lines need; directions side by side."""
    heights = [part["line"].max() + 1 for part in parts.values()]
    figure = Figure(figsize=(WIDTH, 1.7 + 0.7 * len(parts) + HEIGHT * sum(heights)), layout="constrained")
    shape = len(parts), len(directions)
    grid = figure.subplots(*shape, sharex=True, sharey="row", squeeze=False, height_ratios=heights)
    for place, (title, part) in enumerate(parts.items()):
        for axes, direction in zip(grid[place], directions, strict=True):
            _panel(axes, part, direction)
            axes.set_title(f"{direction}\n{title}", fontsize="medium")
            outer(axes, left=axes is grid[place, 0], bottom=place == len(parts) - 1)
    return figure


def _parts(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Return by title all models over their image sizes, and those with several batches over these."""
    models = [alike(part, ("batch", "mode")) for _, part in rows.groupby("model")]
    batches = [part for part in models if part["batch"].nunique() > 1]
    sizes = alike(rows, ("model", "image_size", "mode"))
    if len(batches) < len(models) or sizes.groupby("model")["image_size"].nunique().max() > 1:
        batch = said(sizes.iloc[0].to_dict(), ["batch"])
        yield f"over image size, {batch}", _lines(sizes, ["model", "mode"], "image_size")
    if batches:
        yield "over batch", _lines(pd.concat(batches), ["model", "image_size", "mode"], "batch")


def _lines(rows: pd.DataFrame, group: list[str], size: str) -> pd.DataFrame:
    """Yield the lines in order, each with its number and the words beside it: the group's at its first."""
    by = [*group, size]
    rows = rows.sort_values(by, ascending=[name != "mode" for name in by], kind="stable")  # eager first
    heads = [said(row, group, usual=False) for row in rows.to_dict("records")]
    sizes = [said(row, [size]) for row in rows.to_dict("records")]
    rows = rows.assign(group=heads, line=rows.groupby(by, sort=False).ngroup())
    first = rows["line"] == rows.groupby("group")["line"].transform("min")
    return rows.assign(words=rows["group"].where(first, "") + "   " + sizes)


def _hidden(count: int) -> list[str]:
    """A line of the title, where not all is shown."""
    return [f"not shown, at other sizes or settings: {count}, see the table of models"] if count else []


def _panel(axes: Axes, part: pd.DataFrame, direction: str) -> None:
    """Lines from top to bottom; in each the implementations side by side."""
    lines = part.drop_duplicates("line")
    axes.set_yticks(lines["line"], lines["words"], fontsize="small")
    axes.set_ylim(len(lines) - 0.5, -0.5)
    for edge in lines.groupby("group")["line"].min():
        axes.axhline(edge - 0.5, color="0.8", linewidth=0.8, zorder=0)
    shown = part[part["direction"] == direction]
    if shown.empty:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", va="center", color="0.5")
    for _, group in shown.groupby("group"):
        names = ordered(group["implementation"])
        for place, name in enumerate(names):
            own = group[group["implementation"] == name]
            shift = 0.7 * ((place + 0.5) / len(names) - 0.5)
            across(axes, name, [1 / seconds for seconds in image_times(own)], own["line"] + shift)
    axes.set(xscale="log", xlabel="images a second")
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    plain_numbers(axes, "x")
