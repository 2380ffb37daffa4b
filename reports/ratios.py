"""Who is how far behind: a heat map of every problem and implementation, with what was not measured in it."""

from collections.abc import Sequence

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from halobench import units
from halobench.axes import FIELDS, Row
from halobench.report import Nothing, ordered, report
from halobench.report.words import BLOCK_HALO, MAP, said

from ._axes import WIDTH
from ._select import asked, changing, measured

TITLE = "Time over that of the fastest on the same problem (1x)"
CASE = (*MAP, *BLOCK_HALO)  # always told of a problem
COLOURS = colormaps["cividis_r"]  # even in lightness, the same to any colour vision; light is fast
SCALE = LogNorm(1, 30, clip=True)
TICKS = (1, 2, 5, 10, 20)
SHORT = {"unsupported": "unsupp.", "implausible": "implaus."}  # what is wider than a cell
CELL = (0.48, 0.22)  # inches, in which text of 7 points is legible
LETTER = 0.062  # inches, of a problem's name


@report("ratios", section="attention", order=20)
def ratios(frame: pd.DataFrame) -> Figure | str:
    """Time of attention over the fastest, on every problem."""
    if measured(frame, "attention").empty:
        return Nothing("No case of attention was measured.\n")
    rows, problems = _problems(frame[frame["workload"] == "attention"])
    names = ordered(rows["implementation"])
    directions = sorted(set(rows["direction"]))
    figure, panels = _panels(problems, len(names), len(directions))
    for axes, direction in zip(panels, directions, strict=True):
        axes.set_title(said({"direction": direction}, ["direction"]), fontsize="medium")
        axes.set_xticks(range(len(names)), names, rotation=40, ha="left", rotation_mode="anchor", fontsize=8)
        for row in rows[rows["direction"] == direction].to_dict("records"):
            _cell(axes, row, names.index(row["implementation"]))
    shared = set(asked(rows)) - {"direction", *CASE, *changing(rows, ())}
    figure.suptitle(f"{TITLE}\n{said(rows.iloc[0].to_dict(), shared, usual=False)}", fontsize="medium")
    return figure


def _problems(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows, with the number of their problem and their ratio to the fastest; and the problems' names."""
    columns = sorted([*CASE, *changing(rows, ("direction", *CASE))], key=FIELDS.index)
    rows = rows.sort_values(columns, kind="stable")
    rows = rows.assign(problem=rows.groupby(columns, dropna=False, sort=False).ngroup())
    times = rows["time_s"].where(rows["status"] == "ok")
    fastest = times.groupby([rows["problem"], rows["direction"]]).transform("min")
    firsts = rows.drop_duplicates("problem").to_dict("records")
    return rows.assign(ratio=times / fastest), [said(row, columns) for row in firsts]


def _panels(problems: Sequence[str], columns: int, count: int) -> tuple[Figure, list[Axes]]:
    """Side by side, or one below the other where that would make cells too narrow to read."""
    beside = LETTER * max(map(len, problems))
    across = count if beside + count * columns * CELL[0] <= WIDTH else 1
    down = count // across
    width = max(WIDTH, beside + columns * CELL[0])
    figure = Figure(figsize=(width, 1.5 + down * (1.2 + len(problems) * CELL[1])), layout="constrained")
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    for axes in grid.ravel():
        axes.set(xlim=(-0.5, columns - 0.5), ylim=(len(problems) - 0.5, -0.5))
        axes.set_yticks(range(len(problems)), problems, fontsize=8)
        axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
        axes.spines[:].set_visible(False)
    for axes in grid[:, 1:].ravel():
        axes.tick_params(labelleft=False)
    _scale(figure, list(grid.ravel()))
    return figure, list(grid.ravel())


def _scale(figure: Figure, panels: list[Axes]) -> None:
    """What the colours mean."""
    mappable = ScalarMappable(SCALE, COLOURS)
    pad = 0.2 / figure.get_figheight()
    bar = figure.colorbar(
        mappable, ax=panels, location="bottom", extend="max", aspect=50, shrink=0.7, pad=pad
    )
    bar.set_ticks(TICKS, labels=[units.ratio(tick) for tick in TICKS])
    bar.ax.xaxis.set_minor_locator(NullLocator())


def _cell(axes: Axes, row: Row, column: int) -> None:
    """A colour where it was measured, else hatched with what happened."""
    ok = row["status"] == "ok"
    look = {"facecolor": COLOURS(SCALE(row["ratio"]))} if ok else {"facecolor": "0.94", "hatch": "////"}
    axes.add_patch(Rectangle((column - 0.5, row["problem"] - 0.5), 1, 1, edgecolor="white", **look))
    words = units.ratio(row["ratio"]) if ok else SHORT.get(row["status"], str(row["status"]))
    axes.text(
        column,
        row["problem"],
        words,
        ha="center",
        va="center",
        fontsize=7,
        color="white" if ok and SCALE(row["ratio"]) > 0.5 else "black",
        fontweight="bold" if row["ratio"] == 1 else "normal",
    )
