"""The command `models`: what every network costs, counted from shapes, and what it is published to reach."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.progress import track
from rich.table import Table

from halobench import units
from halobench.console import console
from halobench.files import must_be_new
from halobench.models import flop_crosscheck, zoo
from halobench.models.zoo import Model
from halobench.results.published import best, cited, published, tag

COLUMNS = ["model", "params", "params_published", "flop", "flop_torch", "flop_fvcore", "flop_slots"]
COLUMNS += ["flop_normalisation", "flop_unknown", "activations", "image_size", "halo", "top1", "verified"]
COLUMNS += ["label", "source", "differ", "reason"]
COUNTS = [name for name in COLUMNS if name.startswith(("params", "flop", "activations"))]
HEADER = "params", "published", "ours", "torch", "fvcore", "differ by", "activations", "px", "top-1"
LEGEND = """GFLOP by three counters, a multiply-add is 2. None sees activations, softmax, sums or moved data.
ours: convolutions and products; of halo attention the pairs of query and key inside the map
torch: the same, of attention all that is computed; fvcore, times two: normalisation and pooling too
differ by, where that is more than 1 %: s slots outside the map or not asked for (torch, fvcore),
n normalisation and pooling (fvcore), u products that only one of torch and fvcore knows"""

Row = dict[str, Any]


def show(names: Sequence[str] | None, csv: Path | None) -> int:
    """Print the table of these models, or of all listed; UnknownName for one that nobody knows."""
    chosen = [zoo.find(name) for name in names or zoo.LISTED]
    must_be_new(csv)
    screen = console()
    watched = track(chosen, "counting", console=screen, transient=True, disable=not screen.is_terminal)
    table = pd.DataFrame([_row(model) for model in watched], columns=COLUMNS)
    table = table.astype(dict.fromkeys(COUNTS, "Int64"))
    if csv is not None:
        table.to_csv(csv, index=False, mode="x")
    sources = _sources(table)
    screen.print(_table(table, sources))
    screen.print(LEGEND)
    for number, (source, labels) in enumerate(sources.items(), start=1):
        weights = ", ".join(filter(tag, labels))
        screen.print(f"[{number}] {source}" + (f", with {weights}" if weights else ""), soft_wrap=True)
    for row in table.dropna(subset="reason").itertuples():
        screen.print(f"not counted: {row.model}, {row.reason}", soft_wrap=True)
    return 0


def _row(model: Model) -> Row:
    """Count one inference of one image at the size the network was published for."""
    row = best(model.name, model.image_size)
    known: Row = {"model": model.name, "image_size": model.image_size, "halo": model.halo}
    known["params_published"] = _params(model.name)
    if row is not None:
        known |= {name: row[name] for name in ("top1", "verified", "label", "source")}
    try:
        found = flop_crosscheck.counts(model)
    except (AssertionError, RuntimeError) as error:
        return known | {"reason": f"{error}".splitlines()[0]}
    counted = found.counted
    return known | {
        "params": counted.params,
        "flop": counted.flop,
        "flop_torch": counted.by_torch,
        "flop_fvcore": found.by_fvcore,
        "flop_slots": found.slots,
        "flop_normalisation": found.besides,
        "flop_unknown": found.unknown,
        "activations": counted.activations,
        "differ": " ".join(f"{name[0]} {part:.1%}" for name, part in found.reasons().items()),
    }


def _params(model: str) -> int | None:
    """Return the parameters as they were printed, rounded."""
    table = published()
    rows = table[(table["model"] == model) & table["params"].notna()]
    return None if rows.empty else int(rows["params"].iloc[0])


def _sources(table: pd.DataFrame) -> dict[str, list[str]]:
    """Each once, with the labels of its figures; those that nobody read themselves say so."""
    sources: dict[str, list[str]] = {}
    told = table.dropna(subset="source")
    for source, verified, label in zip(told["source"], told["verified"], told["label"], strict=True):
        sources.setdefault(cited(source, verified), []).append(label)
    return sources


def _table(table: pd.DataFrame, sources: Iterable[str]) -> Table:
    shown = Table(title="one inference of one image", title_justify="left", box=box.SIMPLE_HEAD, padding=0)
    shown.add_column("model", no_wrap=True)
    for name in HEADER:
        shown.add_column(name, justify="right", no_wrap=True)
    for row in table.to_dict("records"):
        shown.add_row(row["model"], *_costs(row), *_facts(row, list(sources)))
    return shown


def _costs(row: Row) -> list[str]:
    published = units.count(row["params_published"])
    if pd.notna(row["reason"]):
        return [units.NOTHING, published, *[units.NOTHING] * 5]
    flop = [units.number(row[name] / units.FLOP["GFLOP"]) for name in ("flop", "flop_torch", "flop_fvcore")]
    return [units.count(row["params"]), published, *flop, row["differ"], units.count(row["activations"])]


def _facts(row: Row, sources: list[str]) -> list[str]:
    mark = "" if pd.isna(row["source"]) else f" [{sources.index(cited(row['source'], row['verified'])) + 1}]"
    return [str(row["image_size"]), units.percent(row["top1"]) + mark]
