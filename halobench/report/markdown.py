"""Markdown tables, safe against what names and reasons may hold."""

import re
from collections.abc import Sequence

Cells = list[list[str]]  # of a table, its header first
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
