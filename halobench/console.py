"""What a user sees while a sweep runs: a live line on a terminal, a line a case elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from halobench import units
from halobench.results.record import Record

PLAIN_WIDTH = 120  # of what goes to a file or a pipe


def console() -> Console:
    """Return a console as wide as the terminal, or of a fixed width where there is none."""
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, markup=False, highlight=False)


def say_left_out(reasons: Mapping[str, str]) -> None:
    """A line for each thing that was left out, and why."""
    for name, reason in reasons.items():
        console().print(f"left out: {name}, {reason}")


def watched(records: Iterable[Record], total: int, console: Console) -> Iterator[Record]:
    """Pass records on, and show how many are done, how long it will take, and the last result."""
    return _live(records, total, console) if console.is_terminal else _lines(records, total, console)


def result(record: Record) -> str:
    """A record in a line."""
    outcome = (
        f"{units.seconds(median(record.samples))} ({len(record.samples)} samples)" if record.samples else ""
    )
    return f"{record.case.id}: {outcome or record.status}" + (f" ({record.reason})" if record.reason else "")


def _live(records: Iterable[Record], total: int, console: Console) -> Iterator[Record]:
    rest = Column(no_wrap=True, ratio=1)  # what is left of the line, or a long result would hide the others
    last = TextColumn("{task.description}", markup=False, table_column=rest)
    columns = MofNCompleteColumn(), BarColumn(bar_width=20), TimeRemainingColumn(), last
    with Progress(*columns, console=console, expand=True) as progress:
        task = progress.add_task("measuring", total=total)
        for record in records:
            if record.status != "ok":
                progress.console.print(result(record), markup=False, highlight=False)
            progress.update(task, advance=1, description=result(record))
            yield record


def _lines(records: Iterable[Record], total: int, console: Console) -> Iterator[Record]:
    start = time.monotonic()
    for done, record in enumerate(records, start=1):
        left = (time.monotonic() - start) / done * (total - done)
        line = f"[{done}/{total}, {left:.0f} s left] {result(record)}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
        yield record
