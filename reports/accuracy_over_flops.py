"""What accuracy a network has for the work that it asks for: useful operations, whatever is inside."""

import pandas as pd
from matplotlib.figure import Figure

from halobench import units
from halobench.report import Nothing, report
from halobench.results.published import published

from ._accuracy.axes import Cost
from ._accuracy.by_family import by_family, published_parts
from ._select import measured

COST = Cost("useful operations of an image [GFLOP], a multiply-add is 2", "needs less")


@report("accuracy_over_flops", section="models", order=40)
def accuracy_over_flops(frame: pd.DataFrame) -> Figure | str:
    """Published accuracy over the useful operations of an image."""
    rows = measured(frame, "model").dropna(subset="flop")
    rows = rows[rows["direction"] == "inference"].drop_duplicates(["model", "image_size"])
    work = rows.assign(cost=rows["flop"] / rows["batch"] / units.UNITS["GFLOP"])
    known = published().dropna(subset="top1").merge(work[["model", "image_size", "cost"]])
    if known.empty:
        return Nothing("No model was measured at the image size of a published accuracy.\n")
    return by_family(published_parts(known.assign(measured=False)), COST, "Accuracy over operations")
