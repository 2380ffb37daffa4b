"""What accuracy a network of a given size has: HaloNets among others, as published or as handed in."""

from textwrap import fill

import pandas as pd
from matplotlib.figure import Figure

from halobench import units
from halobench.report import Nothing, report
from halobench.results.published import published

from ._accuracy.axes import Cost
from ._accuracy.by_family import by_family, published_parts
from ._select import measured

COST = Cost("parameters", "is smaller", units.count)
TITLE = "Accuracy over parameters"
LINE = 45  # letters that fit along the axis


@report("accuracy_over_params", section="models", order=30)
def accuracy_over_params(frame: pd.DataFrame) -> Figure | str:
    """Published accuracy over parameters.

    A frame with a column `family` brings its own points, a row each with the columns of
    `halobench.published.published()`, and the figure says nothing of others: `source` is then the name of
    the data set, as the axis says it. Of any other frame it only matters which models were measured.
    """
    own = "family" in frame
    if not own and set(frame["workload"]) == {"attention"}:
        return Nothing("No network was planned.\n")
    rows = (frame if own else published()).dropna(subset=["params", "top1"])
    if rows.empty:
        return f"There are no {'' if own else 'published '}accuracies to show.\n"
    rows = rows.assign(cost=rows["params"], measured=False)
    if own:
        data = ", ".join(sorted(set(rows["source"])))
        return by_family({"": rows}, COST, TITLE, fill(data, LINE))
    rows["measured"] = rows["model"].isin(measured(frame, "model")["model"])
    return by_family(published_parts(rows), COST, TITLE)
