"""The measured networks: what they cost, and how accurate they were said to be."""

import pandas as pd

from halobench import units
from halobench.axes import Row
from halobench.report import Nothing, report
from halobench.report.caveats import by_host
from halobench.report.markdown import plain, table
from halobench.results.published import best, published, tag

from ._accuracy.axes import more_data
from ._select import changing, measured

WORDS = ("model", "implementation", "direction")
HEADER = ("image [px]", "batch", "time", "images/s", "peak memory", "operations", "parameters", "top-1")
SHOWN = (*WORDS, "image_size", "batch")
SECOND_HAND, MORE = "†", "‡"


@report("models", section="models", order=10)
def models(frame: pd.DataFrame) -> str:
    """Measured models."""
    rows = measured(frame, "model")
    if rows.empty:
        return Nothing("No model was measured.\n")
    more = changing(rows, SHOWN)
    rows = rows.assign(by_host=by_host(rows)).sort_values([*SHOWN, *more], kind="stable")
    lines = [
        [*(plain(row[name]) or units.NOTHING for name in (*WORDS, *more)), *_numbers(row)]
        for row in rows.to_dict("records")
    ]
    return (
        "Times are medians with their 95 % interval, and the host's where a caller waits for that. Peak "
        "memory is beyond the inputs, operations are the useful ones of the batch, a multiply-add is 2. "
        "Top-1 is the published accuracy on ImageNet-1k, with the tag of timm's weights that reached it, "
        f"{SECOND_HAND} where that is second hand, {MORE} after training on ImageNet-21k.\n\n"
        + table([*WORDS, *more, *HEADER], lines, words=len(WORDS) + len(more))
    )


def _numbers(row: Row) -> list[str]:
    return [
        units.number(row["image_size"]),
        units.number(row["batch"]),
        _time(row),
        units.number(row["images_per_second"]),
        units.bytes_(row["peak_bytes"]),
        units.flop(row["flop"]),
        units.count(row["params"]),
        _accuracy(row["model"], row["image_size"], row["top1"]),
    ]


def _time(row: Row) -> str:
    time = units.time(row["time_s"], row["time_low_s"], row["time_high_s"])
    return f"{time}, host {units.seconds(row['host_s'])}" if row["by_host"] else time


def _accuracy(model: str, image_size: float, top1: float) -> str:
    known = best(model, image_size) or {"label": ""}
    weights = f" {tag(known['label'])}" if tag(known["label"]) else ""
    return units.percent(top1) + weights + _marks(model, top1)


def _marks(model: str, top1: float) -> str:
    table = published()
    rows = table[(table["model"] == model) & (table["top1"] == top1)]
    second_hand = len(rows) > 0 and not rows["verified"].any()
    return SECOND_HAND * second_hand + MORE * bool(more_data(rows).any())
