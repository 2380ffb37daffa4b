"""The work that is asked for, and what each implementation really computes."""

import textwrap
from collections.abc import Callable, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from halobench.axes import Row
from halobench.report import Nothing, report
from halobench.report.words import BLOCK_HALO, MAP, block_halo_name, map_name
from halobench.results.derived import problem_columns

from ._axes import FLOP, WIDTH, categories, finish, outer
from ._select import block_halo_names, in_common, map_names, measured, sweep

TITLE = """Useful and executed floating point operations, {direction} (a multiply-add is 2)
useful: pairs of a query and a key that lie in its window and in the map
executed: all pairs that are computed"""


@report("flops", section="attention", order=60)
def flops(frame: pd.DataFrame) -> Figure | str:
    """Useful and executed floating point operations."""
    rows = measured(frame, "attention").dropna(subset="flop_executed")
    if rows.empty:
        return Nothing("No case of attention has a count of executed operations.\n")
    rows = rows[rows["direction"] == rows["direction"].min()]  # directions are counted in proportion,
    asked = [name for name in problem_columns(rows) if name != "border"]  # both borders alike
    rows = rows.drop_duplicates([*asked, "implementation"]).assign(border=rows["border"].min())
    figure = Figure(figsize=(WIDTH, 4.6))
    left, right = figure.subplots(1, 2, sharey=True)
    maps, blocks = sweep(rows, MAP), sweep(rows, BLOCK_HALO)
    _panel(left, maps, map_name, map_names(maps))
    left.set_xlabel("map [positions]")
    left.set_title(textwrap.fill(in_common(maps, MAP), 45), fontsize="small")
    _panel(right, blocks, block_halo_name, block_halo_names(blocks))
    right.set_xlabel("block and halo [positions]")
    right.set_title(textwrap.fill(in_common(blocks, BLOCK_HALO), 45), fontsize="small")
    outer(right, left=False, bottom=True)
    finish(figure, FLOP, TITLE.format(direction=rows["direction"].iloc[0].replace("_", " + ")))
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, name_of: Callable[[Row], str], order: Sequence[str]) -> None:
    names = rows.apply(name_of, axis=1)
    useful = [FLOP.of(rows[names == name], "flop").iloc[0] for name in order]
    places = pd.Series(range(len(order)))
    axes.hlines(useful, places - 0.42, places + 0.42, color="0.4", linestyle="--", label="useful")
    categories(axes, rows, FLOP, name_of, order)
