"""How many times faster than the baseline each implementation is, on every problem."""

import numpy as np
import pandas as pd

from halobench import units
from halobench.axes import Row
from halobench.report import Nothing, ordered, report
from halobench.report.markdown import bold, plain, table
from halobench.report.words import map_name, said
from halobench.results.derived import BASELINE, problem_columns

from ._select import changing, measured

PLACE = ("device", "threads")
WORDS = ("border", "direction")  # beside the map, and what else differs
NUMBERS = (["block", "halo"], ["batch"])  # where they differ
ELSEWHERE = ("height", "width", "block", "halo", "batch", *PLACE, *WORDS)


@report("speedup", section="attention", order=10)
def speedup(frame: pd.DataFrame) -> str:
    """Speed-up of attention over the dense baseline."""
    if measured(frame, "attention").empty:
        return Nothing("No case of attention was measured.\n")
    rows = frame[frame["workload"] == "attention"]
    places = rows.groupby(list(PLACE), sort=False)
    return "\n".join(_speedups(part) for _, part in places)


def _speedups(rows: pd.DataFrame) -> str:
    names = ordered(rows["implementation"])
    more = [*WORDS, *changing(rows, ELSEWHERE)]
    numbers = [name for together in NUMBERS if len(rows[together].drop_duplicates()) > 1 for name in together]
    shown = [*more, *numbers]
    same = [name for together in NUMBERS for name in together if name not in numbers]
    rows = rows.sort_values(["height", "width", *shown], kind="stable")
    problems = [group for _, group in rows.groupby(problem_columns(rows), dropna=False, sort=False)]
    lines = [
        [
            map_name(group.iloc[0].to_dict()),
            *(_word(group.iloc[0][name]) for name in shown),
            *_cells(group, names),
        ]
        for group in problems
    ]
    means, count = _means(problems, names)
    if count:
        lines.append(["**geometric mean**", *[""] * len(shown), *(units.ratio(mean) for mean in means)])
    where = said(rows.iloc[0].to_dict(), [*PLACE, *same])
    return (
        f"On {where}: the time of `{BASELINE}` over that of the others, the fastest in bold; where "
        f"`{BASELINE}` was not measured, the time itself. The geometric mean is over {count} of "
        f"{len(problems)} problems, those on which all were measured that were on most.\n\n"
        + table(["map", *shown, *map(plain, names)], lines, words=1 + len(more))
    )


def _cells(group: pd.DataFrame, names: list[str]) -> list[str]:
    """A problem's row: what each implementation did."""
    rows = group.set_index("implementation").to_dict("index")
    fastest = group["time_s"].where(group["status"] == "ok").min()
    return [_cell(rows[name], fastest) if name in rows else units.NOTHING for name in names]


def _cell(row: Row, fastest: float) -> str:
    if row["status"] != "ok":
        return str(row["status"])
    known = units.ratio(row["speedup"]) if row["speedup"] > 0 else units.seconds(row["time_s"])
    return bold(known) if row["time_s"] == fastest else known


def _means(problems: list[pd.DataFrame], names: list[str]) -> tuple[list[float], int]:
    """A geometric mean an implementation, over the same problems for all; and how many those are.

    Implementations that were measured on few problems have none: they would leave few for the others.
    """
    factors = pd.DataFrame([group.set_index("implementation")["speedup"] for group in problems])
    counts = factors.notna().sum()
    factors = factors.loc[:, counts > counts.max() / 2].dropna()
    if factors.empty:
        return [], 0
    means = np.exp(np.log(factors).mean())
    return [float(means.get(name, np.nan)) for name in names], len(factors)


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else plain(value)
