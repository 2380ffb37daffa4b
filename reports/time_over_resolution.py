"""How the time grows with the map: a line an implementation, a panel a direction and border."""

import pandas as pd
from matplotlib.figure import Figure

from halobench.report import report

from ._axes import TIME, over_resolution


@report("time_over_resolution", section="overview", order=10)
def time_over_resolution(frame: pd.DataFrame) -> Figure | str:
    """Time over the size of the map."""
    return over_resolution(frame, TIME, "Time over the size of the map")
