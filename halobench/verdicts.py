"""Every hard problem by one implementation in one dtype, each verdict a line of JSON the moment it is known.

Meant for a process of its own: an illegal memory access on a GPU spoils all that a process does after it.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from halobench import check, oracle
from halobench.attention import find
from halobench.hard import PROBLEMS
from halobench.problem import Problem

END = "end"  # in place of a problem's title: the line that says how it all ended


@dataclass(frozen=True, kw_only=True)
class Line:
    """What became of one problem."""

    implementation: str
    dtype: str
    problem: str
    status: str  # right, wrong, unsupported, failed; of the last line ok, timeout, crashed, oom
    reason: str = ""
    errors: dict[str, float] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)


def tell(name: str, dtype: str, device: str, titles: Iterable[str], file: Path) -> None:
    """Append a line for each of these problems."""
    for title in titles:
        add(_line(name, title, replace(PROBLEMS[title], dtype=dtype), device), file)


def add(line: Line, file: Path) -> None:
    cut_off = file.exists() and not file.read_bytes().endswith(b"\n")
    with file.open("a", encoding="utf-8") as lines:
        lines.write("\n" * cut_off + json.dumps(asdict(line)) + "\n")


def read(file: Path) -> list[Line]:
    """Of each problem the last, for what was interrupted is done again; none where there is no file."""
    if not file.exists():
        return []
    whole = [line for line in file.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    lines = [Line(**json.loads(line)) for line in whole]  # one may have been cut off
    return list({(line.implementation, line.dtype, line.problem): line for line in lines}.values())


def _line(name: str, title: str, problem: Problem, device: str) -> Line:
    entry, line = find(name), partial(Line, implementation=name, dtype=problem.dtype, problem=title)
    if reason := entry.unsupported(problem, device, "forward"):
        return line(status="unsupported", reason=reason)
    given = oracle.inputs(problem, device=device)
    known = check.truth(problem, given)
    try:
        verdict = check.examine(entry, problem, given, known)
    except Exception as error:  # one broken case must not end the check of the others
        return line(status="failed", reason=f"{type(error).__name__}: {error}".splitlines()[0])
    word, reason = ("right", "") if verdict.right else ("wrong", str(verdict))
    return line(status=word, reason=reason, errors=verdict.errors, bounds=verdict.bounds)
