"""What a network's accuracy costs here: published top-1 over the time that an image took."""

import pandas as pd
from matplotlib.figure import Figure

from halobench import units
from halobench.report import report

from ._accuracy.axes import Cost
from ._accuracy.over_cost import over_cost
from ._models import image_times

COST = Cost("time of an image [ms]", "is faster")
TITLE = "Published accuracy over the time of an image in inference, median and 95 % interval"


@report("accuracy_over_time", section="overview", order=20)
def accuracy_over_time(frame: pd.DataFrame) -> Figure | str:
    """Published accuracy over the measured time of an image."""
    return over_cost(frame, COST, _milliseconds, TITLE)


def _milliseconds(rows: pd.DataFrame) -> list[pd.Series]:
    return [seconds / units.UNITS["ms"] for seconds in image_times(rows)]
