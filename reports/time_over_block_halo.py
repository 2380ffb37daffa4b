"""How the time depends on block and halo: a point an implementation, a panel a direction and border."""

import pandas as pd
from matplotlib.figure import Figure

from halobench.report import Nothing, report
from halobench.report.words import BLOCK_HALO, block_halo_name

from ._axes import TIME, categories, finish, panels
from ._select import block_halo_names, in_common, measured, sweep


@report("time_over_block_halo", section="attention", order=40)
def time_over_block_halo(frame: pd.DataFrame) -> Figure | str:
    """Time over block and halo, small windows first."""
    rows = sweep(measured(frame, "attention"), BLOCK_HALO)
    if rows.empty:
        return Nothing("No case of attention was measured.\n")
    if len(names := block_halo_names(rows)) == 1:
        return Nothing(f"Only {names[0]} was measured.\n")
    figure = Figure()
    for axes, part in panels(figure, rows):
        categories(axes, part, TIME, block_halo_name, names)
        axes.set_xlabel("block and halo [positions]")
    finish(figure, TIME, f"Time over block and halo, small windows first\n{in_common(rows, BLOCK_HALO)}")
    return figure
