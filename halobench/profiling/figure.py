"""What the parts of a network cost, drawn: a row a part, a column parameters, FLOPs, time and memory."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from halobench import units

ROWS = {"stage": "stages", "kind": "kinds of layers", "attention": "attention, with its projections"}
COLUMNS = {  # of the table: words and unit
    "params": ("parameters [M]", 1e6),
    "flop": ("work [GFLOP]", units.FLOP["GFLOP"]),
    "time_s": ("time [ms]", units.SECONDS["ms"]),
    "peak_bytes": ("peak memory [MiB]", units.BYTES["MiB"]),
}
COLOURS = {"params": "#56B4E9", "flop": "#E69F00", "time_s": "#009E73", "peak_bytes": "#CC79A7"}
WIDTH, HEIGHT = 9.0, 0.24  # inches; of a row


def figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw the table that `breakdown.tabled` makes."""
    groups = {words: table[table["by"] == by] for by, words in ROWS.items()}
    groups = {words: rows for words, rows in groups.items() if len(rows)}
    heights = [len(rows) + 1.5 for rows in groups.values()]
    drawn = Figure(figsize=(WIDTH, 1 + HEIGHT * sum(heights)), layout="constrained")
    shape = len(groups), len(COLUMNS)
    grid = drawn.subplots(*shape, sharey="row", sharex="col", squeeze=False, height_ratios=heights)
    for panels, (words, rows) in zip(grid, groups.items(), strict=True):
        for axes, column in zip(panels, COLUMNS, strict=True):
            _bars(axes, rows, column)
        panels[0].set_title(words, fontsize="medium", loc="left")
        panels[0].set_yticks(range(len(rows)), rows["part"], fontsize="small")
        panels[0].set_ylim(len(rows) - 0.5, -0.5)
    for axes, (words, _) in zip(grid[-1], COLUMNS.values(), strict=True):
        axes.set_xlabel(words)
    drawn.suptitle(title, fontsize="medium")
    return drawn


def _bars(axes: Axes, rows: pd.DataFrame, column: str) -> None:
    values = rows[column].astype(float).fillna(0) / COLUMNS[column][1]
    axes.barh(range(len(rows)), values, color=COLOURS[column], height=0.7)
    for place, value in enumerate(values):
        words = units.number(value) if rows[column].notna().iloc[place] and round(value, 3) else ""
        axes.annotate(
            words, (max(value, 0), place), (2, 0), textcoords="offset points", va="center", fontsize=7
        )
    axes.margins(x=0.25)
    axes.grid(axis="x", color="0.93")
    axes.set_axisbelow(True)
