"""Markdown tables, safe against what names and reasons may hold."""

import re
from collections.abc import Sequence

Cells = list[list[str]]  # of a table, its header first


def markdown(cells: Cells) -> str:
    """Names are flush left, what follows flush right."""
    header, *rows = cells
    rule = [":--", *["--:"] * (len(header) - 1)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, rule, *rows))


SPECIAL = re.compile(r"([\\`*|<>\[\]])")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, words: int) -> str:
    """Cells as they are; the first `words` columns are flush left, the numbers after them flush right."""
    rule = [":--" if place < words else "--:" for place in range(len(header))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, rule, *rows))


def plain(value: object) -> str:
    """Text in a cell, on one line, taken literally."""
    return SPECIAL.sub(r"\\\1", " ".join(str(value).split()))


def bold(cell: str) -> str:
    return f"**{cell}**"
