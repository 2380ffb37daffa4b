"""The command `compare`: what became faster, slower, larger or broken from one stored run to another."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from halobench import units
from halobench.comparison.compare import ENOUGH_CASES, compare, side
from halobench.console import console
from halobench.errors import UsageError
from halobench.files import must_be_new
from halobench.results.folder import incomparable, read_environment
from halobench.results.store import Store

STYLES = {"faster": "bold green", "slower": "bold red"}


def show(before: Path, after: Path, threshold: float, everything: bool, out: Path | None) -> int:
    """Print what changed; 1 if anything became slower or broke. UsageError where nothing can be compared."""
    must_be_new(out)
    stores = Store(before), Store(after)
    different = incomparable(read_environment(before), read_environment(after))
    sides = (side(store.plan(), store.records()) for store in stores)
    table = compare(*sides, threshold=threshold, different=different)
    if table["ratio"].isna().all() and not table["broken"].any():
        reasons = "; ".join(table["reason"].unique()) or "no cases"
        raise UsageError(f"{before} and {after} have nothing to compare: {reasons}")
    if out is not None:
        table.to_csv(out, index=False, mode="x")
    _print(table, threshold, everything)
    return int((table["broken"] | (table["verdict"] == "slower")).any())


def _print(table: pd.DataFrame, threshold: float, everything: bool) -> None:
    screen = console()
    rows = table if everything else table[_changed(table, threshold)]
    if not rows.empty:
        screen.print(_table(rows, threshold, everything))
    for row in table[table["broken"]].to_dict("records"):
        why = row["reason"].partition(": ")[2] or f"{row['reason']}, and {row['status_after']}"
        screen.print(f"broken: {row['case']}, {why}", soft_wrap=True)
    screen.print(f"{len(table)} cases: {_counts(table)}", soft_wrap=True)
    screen.print(_method(table, threshold), soft_wrap=True)


def _changed(table: pd.DataFrame, threshold: float) -> pd.Series:
    """Verdict, outcome, or memory beyond the threshold."""
    both = table["status_before"].notna() & table["status_after"].notna()
    outcome = both & (table["status_before"] != table["status_after"])
    return table["verdict"].isin(["faster", "slower"]) | outcome | _memory(table["memory_ratio"], threshold)


def _memory(ratio: Any, threshold: float) -> Any:
    """Whether peak memory changed; it is exact on a CPU, so that no more than the threshold is asked."""
    return (ratio > 1 + threshold) | (ratio < 1 / (1 + threshold))


def _table(rows: pd.DataFrame, threshold: float, everything: bool) -> Table:
    table = Table(title="the baseline and the new run, the largest ratio first", title_justify="left")
    table.add_column("case", overflow="fold")
    for name in ("baseline", "new run", "ratio", "95 % interval", "verdict", "memory"):
        table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=True)
    if everything:
        table.add_column("why", overflow="fold")
    for row in rows.to_dict("records"):
        times = [_outcome(row["status_" + side], row[f"time_{side}_s"]) for side in ("before", "after")]
        cells = [
            row["case"],
            *times,
            units.ratio(row["ratio"]),
            _interval(row["ratio_low"], row["ratio_high"]),
        ]
        memory = units.ratio(row["memory_ratio"]) if _memory(row["memory_ratio"], threshold) else ""
        verdict = Text(row["verdict"], style=STYLES.get(row["verdict"], ""))
        table.add_row(*cells, verdict, memory, *[row["reason"]] * everything)
    return table


def _interval(low: float, high: float) -> str:
    return units.NOTHING if pd.isna(low) else f"{units.ratio(low)} to {units.ratio(high)}"


def _outcome(status: str | None, time_s: float) -> str:
    if pd.isna(status):
        return units.NOTHING
    return units.seconds(time_s) if status == "ok" and pd.notna(time_s) else str(status)


def _counts(table: pd.DataFrame) -> str:
    """How many cases have which verdict; of the unknown, why."""
    said = Counter(
        f"unknown ({row['reason'].partition(':')[0]})" if row["verdict"] == "unknown" else row["verdict"]
        for row in table.to_dict("records")
    )
    return ", ".join(f"{count} {words}" for words, count in said.items())


def _method(table: pd.DataFrame, threshold: float) -> str:
    """What the verdicts stand on."""
    tested = table[table["ratio"].notna()]
    counted = tested["unit"].value_counts()
    words = [f"changes up to {units.percent(threshold)} are let pass"]
    if "processes" in counted:
        words.append(f"{counted['processes']} cases by the medians of their processes")
    if "samples" in counted:
        words.append(f"{counted['samples']} by the samples of one process (--replicates 5 would say more)")
    if len(tested) < ENOUGH_CASES:
        words.append(
            f"with less than {ENOUGH_CASES} cases nothing tells how much the two runs differ as such"
        )
    return "; ".join(words)
