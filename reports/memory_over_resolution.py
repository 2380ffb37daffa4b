"""How the memory grows with the map: a line an implementation, a panel a direction and border."""

import pandas as pd
from matplotlib.figure import Figure

from halobench.report import report

from ._axes import MEMORY, over_resolution


@report("memory_over_resolution", section="attention", order=50)
def memory_over_resolution(frame: pd.DataFrame) -> Figure | str:
    """Peak memory over the size of the map."""
    return over_resolution(
        frame, MEMORY, "Peak memory over the size of the map: outputs and gradients, not the inputs"
    )
