"""What figures share: panels, points with their intervals, axes with units, one legend."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from halobench import units
from halobench.axes import Row
from halobench.report import Nothing, colour, marker, ordered
from halobench.report.words import MAP

from ._select import PANELS, in_common, map_names, measured, sweep

WIDTH = 8  # inches, at which text of 10 points reads well on a page
LEAST_SPAN = 5  # of a logarithmic axis, as a factor: room for two numbers, and noise does not look large


@dataclass(frozen=True)
class Quantity:
    """What an axis shows: a column, its words and unit, and the columns of its interval."""

    column: str
    words: str
    unit: str
    interval: tuple[str, str] | None = None

    def of(self, rows: pd.DataFrame, column: str | None = None) -> pd.Series:
        """Convert a value to the unit of the axis."""
        return rows[column or self.column] / units.UNITS[self.unit]


TIME = Quantity("time_s", "median time, its 95 % interval", "ms", ("time_low_s", "time_high_s"))
MEMORY = Quantity("peak_bytes", "peak memory beyond the inputs", "MiB")
FLOP = Quantity("flop_executed", "floating point operations", "GFLOP")


def over_resolution(frame: pd.DataFrame, quantity: Quantity, title: str) -> Figure | str:
    """A line an implementation over the side of the map, a panel a direction and border."""
    rows = sweep(measured(frame, "attention").dropna(subset=quantity.column), MAP)
    if rows.empty:
        return Nothing(f"No case of attention has a value of {quantity.column}.\n")
    rows = rows.assign(side=(rows["height"] * rows["width"]) ** 0.5).sort_values(["side", *MAP])
    sides = pd.Series(map_names(rows), index=rows.drop_duplicates(list(MAP))["side"])
    crowded = (sides.index[1:] < 1.5 * sides.index[:-1]).any()
    figure = Figure()
    for axes, part in panels(figure, rows):
        for name in ordered(part["implementation"]):
            points(axes, part.loc[part["implementation"] == name].set_index("side"), quantity, linestyle="-")
        axes.set(xlabel="map [positions]", xscale="log", xmargin=0.12)
        axes.set_xticks(sides.index, sides, rotation=45 if crowded else 0)
        axes.xaxis.set_minor_locator(NullLocator())
    finish(figure, quantity, f"{title}\n{in_common(rows, MAP)}")
    return figure


def panels(figure: Figure, rows: pd.DataFrame) -> Iterator[tuple[Axes, pd.DataFrame]]:
    """Axes that share their scale, with the rows of each direction and border that occurs."""
    groups = list(rows.groupby(list(PANELS)))
    across = min(2, len(groups))
    down = math.ceil(len(groups) / across)
    figure.set_size_inches(WIDTH, 1.2 + 2.9 * down)
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for place, (axes, ((direction, border), part)) in enumerate(zip(grid, groups, strict=False)):
        axes.set_title(f"{str(direction).replace('_', ' + ')}, border {border}", fontsize="medium")
        outer(axes, left=place % across == 0, bottom=place + across >= len(groups))
        yield axes, part
    for axes in grid[len(groups) :]:
        axes.remove()


def outer(axes: Axes, *, left: bool, bottom: bool) -> None:
    """Words and numbers along the outer sides only."""
    axes.tick_params(labelleft=left, labelbottom=bottom)
    axes.yaxis.label.set_visible(left)
    axes.xaxis.label.set_visible(bottom)


def points(axes: Axes, rows: pd.DataFrame, quantity: Quantity, *, linestyle: str) -> None:
    """One implementation's values, at the places along x that are the rows' index."""
    name = str(rows["implementation"].iloc[0])
    look: dict[str, Any] = {
        "color": colour(name),
        "marker": marker(name),
        "markersize": 4.5,
        "linewidth": 1.2,
    }
    axes.plot(rows.index, quantity.of(rows), label=name, linestyle=linestyle, **look)
    if quantity.interval is not None:
        low, high = (quantity.of(rows, column) for column in quantity.interval)
        axes.vlines(rows.index, low, high, color=colour(name), linewidth=1.5)


def categories(
    axes: Axes,
    rows: pd.DataFrame,
    quantity: Quantity,
    name_of: Callable[[Row], str],
    order: Sequence[str],
) -> None:
    """A group a category, side by side in it a point an implementation; the categories in the order given."""
    place = rows.apply(name_of, axis=1).map(list(order).index)
    names = ordered(rows["implementation"])
    for index, name in enumerate(names):
        own = rows["implementation"] == name
        shift = 0.7 * ((index + 0.5) / len(names) - 0.5)
        points(axes, rows[own].set_index(place[own] + shift), quantity, linestyle="")
    axes.set_xticks(range(len(order)), order)
    axes.set_xlim(-0.5, len(order) - 0.5)
    for edge in range(1, len(order)):
        axes.axvline(edge - 0.5, color="0.9", linewidth=0.8, zorder=0)


def finish(figure: Figure, quantity: Quantity, title: str) -> None:
    """Log axis with its unit, the title, one legend for all panels."""
    for axes in figure.axes:
        logarithmic(axes, quantity)
    figure.suptitle(title, fontsize="medium")
    figure.set_layout_engine("constrained")
    key(figure)


def logarithmic(axes: Axes, quantity: Quantity) -> None:
    """Plain numbers along y."""
    axes.set(yscale="log", ylabel=f"{quantity.words} [{quantity.unit}]")
    plain_numbers(axes, "y")
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)


def plain_numbers(axes: Axes, side: Literal["x", "y"], number: Callable[[float], str] = units.number) -> None:
    """Along a logarithmic axis: at 1, 2 and 5 where it spans little, else at powers of ten."""
    low, high = axes.get_xlim() if side == "x" else axes.get_ylim()
    if high < LEAST_SPAN * low:
        middle = math.sqrt(low * high)
        low, high = middle / LEAST_SPAN**0.5, middle * LEAST_SPAN**0.5
        axes.set(**{f"{side}lim": (low, high)})
    axis = axes.xaxis if side == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 200 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, place: number(value)))
    axis.set_minor_locator(NullLocator())


def key(figure: Figure, more: Mapping[str, Artist] | None = None, *, columns: int = 3) -> None:
    """One legend for all panels: each label once, then what else there is to explain."""
    shown = [axes.get_legend_handles_labels() for axes in figure.axes]
    handles = {label: handle for pair in shown for handle, label in zip(*pair, strict=True)}
    handles = {name: handles[name] for name in ordered(handles)} | dict(more or {})
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=columns, frameon=False)
