"""What a network's accuracy costs here: published top-1 over the memory that an image took."""

import pandas as pd
from matplotlib.figure import Figure

from halobench import units
from halobench.report import report

from ._accuracy.axes import Cost
from ._accuracy.over_cost import over_cost

COST = Cost("peak memory over images in the batch [MiB]", "needs less")
TITLE = "Published accuracy over the peak memory of inference, beyond weights and images, by image"


@report("accuracy_over_memory", section="models", order=60)
def accuracy_over_memory(frame: pd.DataFrame) -> Figure | str:
    """Published accuracy over the measured peak memory of an image."""
    return over_cost(frame, COST, _mebibytes, TITLE)


def _mebibytes(rows: pd.DataFrame) -> list[pd.Series]:
    return [rows["peak_bytes"] / rows["batch"] / units.UNITS["MiB"]]
