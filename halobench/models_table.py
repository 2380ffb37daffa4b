"""The command `models`: what every network costs, counted from shapes, and what it is published to reach."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.progress import track
from rich.table import Table

from halobench import text
from halobench.files import must_be_new
from halobench.models import counting, zoo
from halobench.models.zoo import Model
from halobench.progress import console
from halobench.published import published, top1, verified

COLUMNS = ["model", "params", "flop", "flop_executed", "image_size", "halo", "top1", "verified", "source"]
COLUMNS.append("reason")

Row = dict[str, Any]


def show(names: Sequence[str] | None, csv: Path | None) -> int:
    """Print the table of these models, or of all listed; KeyError for one that nobody knows."""
    chosen = [zoo.find(name) for name in names or zoo.LISTED]
    must_be_new(csv)
    screen = console()
    watched = track(chosen, "counting", console=screen, transient=True, disable=not screen.is_terminal)
    table = pd.DataFrame([_row(model) for model in watched], columns=COLUMNS)
    table = table.astype({"params": "Int64", "flop": "Int64", "flop_executed": "Int64"})
    if csv is not None:
        table.to_csv(csv, index=False, mode="x")
    sources = _sources(table)
    screen.print(_table(table, sources))
    for number, source in enumerate(sources, start=1):
        screen.print(f"[{number}] {source}", soft_wrap=True)
    for row in table.dropna(subset="reason").itertuples():
        screen.print(f"not counted: {row.model}, {row.reason}", soft_wrap=True)
    return 0


def _row(model: Model) -> Row:
    """Of one image at the size it was published for, one inference."""
    accuracy = top1(model.name)
    known = {"model": model.name, "image_size": model.image_size, "halo": model.halo, "top1": accuracy}
    if accuracy is not None:
        known |= {"verified": verified(model.name), "source": _source(model.name, accuracy)}
    try:
        work = counting.work(model.name, model.implementation, model.image_size, 1, "inference")
    except (AssertionError, RuntimeError) as error:
        return known | {"reason": f"not from shapes alone: {error}".splitlines()[0]}
    return known | {"params": work.params, "flop": work.flop, "flop_executed": work.flop_executed}


def _source(model: str, accuracy: float) -> str:
    """Where that accuracy was published."""
    table = published()
    rows = table[(table["model"] == model) & (table["top1"] == accuracy)]
    return str(rows.sort_values("verified", ascending=False)["source"].iloc[0])


def _sources(table: pd.DataFrame) -> list[str]:
    """Each once; those that nobody read themselves say so."""
    told = table.dropna(subset="source")
    return list(dict.fromkeys(map(_named, told["source"], told["verified"])))


def _named(source: str, read: bool) -> str:
    return source if read else f"{source} (second hand, not verified)"


def _table(table: pd.DataFrame, sources: list[str]) -> Table:
    shown = Table(title="one inference of one image; a multiply-add is 2 FLOP", title_justify="left")
    shown.add_column("model", no_wrap=True)
    for name in ("parameters", "useful", "executed", "image", "halo attention", "top-1"):
        shown.add_column(name, justify="right")
    for row in table.to_dict("records"):
        shown.add_row(row["model"], *_costs(row), *_facts(row, sources))
    return shown


def _costs(row: Row) -> list[str]:
    if pd.notna(row["reason"]):
        return [text.NOTHING] * 3
    return [text.count(row["params"]), text.flop(row["flop"]), text.flop(row["flop_executed"])]


def _facts(row: Row, sources: list[str]) -> list[str]:
    mark = "" if pd.isna(row["source"]) else f" [{sources.index(_named(row['source'], row['verified'])) + 1}]"
    return [f"{row['image_size']} px", "yes" if row["halo"] else "no", text.percent(row["top1"]) + mark]
