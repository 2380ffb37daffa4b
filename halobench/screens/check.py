"""The command `check`: the largest errors of every implementation, over hard problems and random ones."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

from rich.progress import track
from rich.table import Table

from halobench import units
from halobench.attention import check, oracle
from halobench.attention.check import Truth
from halobench.attention.implementation import IMPLEMENTATIONS, Implementation
from halobench.attention.oracle import Inputs
from halobench.attention.problem import CHOICES, Problem
from halobench.attention.problem_sets import PROBLEMS
from halobench.attention.random_problems import of_kind, telling
from halobench.console import console, say_left_out
from halobench.device.device import answers, devices, usable
from halobench.errors import UsageError
from halobench.plugins import told

RANDOM = "random problem"
SPOILT = "an error before this one stays with CUDA in this process"
HANDFUL = 5  # of problems: fewer prove little
PATIENCE_S = 60.0  # with an implementation: one that compiles for each problem has fewer random ones


@dataclass
class Tally:
    """The errors of one implementation in one dtype."""

    right: int = 0
    unsupported: int = 0
    telling: int = 0  # of the right ones those with several blocks and a halo
    out: float | None = None
    gradients: float | None = None
    of_bound: float = 0.0  # the largest share of an error in what is allowed
    wrong: str = ""
    reason: str = ""  # the first why it was not asked
    seconds: float = 0.0

    @property
    def doubt(self) -> str:
        """Why being right on what it was asked proves little, or nothing."""
        if self.right < HANDFUL:
            return f"only {self.right} problems could be run ({self.reason})"
        return "" if self.telling else "no problem with several blocks and a halo could be run"


def show(names: list[str], dtypes: list[str], device: str | None) -> int:
    """Print a table; 1 if anything is wrong, or right on too little to prove anything.

    What cannot run on this device at all proves nothing either: that counts where it was asked for by name.
    """
    every = "all" in names
    missing = IMPLEMENTATIONS.unavailable if every else {}
    entries = list(IMPLEMENTATIONS.values()) if every else [IMPLEMENTATIONS[name] for name in names]
    device = usable(device or devices()[0])
    for dtype in dtypes:
        if dtype not in CHOICES["dtype"]:
            raise UsageError(f"dtype: {dtype!r} must be one of {', '.join(CHOICES['dtype'])}")
    tallies = {dtype: _tallies(entries, dtype, device) for dtype in dtypes}
    _print(tallies, missing, device)
    found = [tally for by_name in tallies.values() for tally in by_name.values()]
    asked = [tally for tally in found if tally.right or not every]
    return int(any(tally.wrong for tally in found) or any(tally.doubt for tally in asked))


def _tallies(entries: list[Implementation], dtype: str, device: str) -> dict[str, Tally]:
    """Tally the hard problems, and random ones of each implementation's own kind."""
    tallies = {entry.name: Tally() for entry in entries}
    hard = [(title, replace(problem, dtype=dtype), entries) for title, problem in PROBLEMS.items()]
    kinds: dict[Problem, list[Implementation]] = {}
    for entry in entries:
        for problem in of_kind(partial(_refused, entry, device), dtype):
            kinds.setdefault(problem, []).append(entry)
    asked = [*hard, *((RANDOM, problem, whose) for problem, whose in kinds.items())]
    for title, problem, whose in track(asked, f"checking in {dtype}", console=console(), transient=True):
        if not answers(device):
            break
        given = oracle.inputs(problem, device=device)
        known = check.truth(problem, given)
        for entry in whose:
            if answers(device):
                _try(entry, problem, title, given, known, tallies[entry.name])
    if not answers(device):
        _leave(tallies.values())
    return tallies


def _leave(tallies: Iterable[Tally]) -> None:
    """Mark what can no longer be asked in this process, so that nothing looks right for it."""
    for tally in tallies:
        tally.wrong = tally.wrong or f"not asked further: {SPOILT}"


def _refused(entry: Implementation, device: str, problem: Problem) -> str | None:
    return entry.unsupported(problem, device, "forward")


def _try(  # noqa: PLR0913  a problem, what is known of it, and where the outcome goes
    entry: Implementation, problem: Problem, title: str, given: Inputs, known: Truth, tally: Tally
) -> None:
    if title == RANDOM and tally.seconds > PATIENCE_S:
        return
    if reason := _refused(entry, given.q.device.type, problem):
        tally.unsupported += 1
        tally.reason = tally.reason or reason
        return
    start = monotonic()
    title = f"{title}: {problem}" if title == RANDOM else title
    try:
        verdict = check.examine(entry, problem, given, known)
    except Exception as error:  # one broken plug-in must not end the check of the others
        tally.wrong = tally.wrong or f"{title}: {told(error)}"
        return
    _count(tally, verdict, title)
    tally.seconds += monotonic() - start
    tally.telling += verdict.right and telling(problem)


def _count(tally: Tally, verdict: check.Verdict, title: str) -> None:
    if verdict.fault:
        tally.wrong = tally.wrong or f"{title}: {verdict}"
        return
    gradients = [error for name, error in verdict.errors.items() if name != "out"]
    tally.out = check.largest([tally.out or 0.0, verdict.errors["out"]])
    if gradients:
        tally.gradients = check.largest([tally.gradients or 0.0, *gradients])
    shares = [error / verdict.bounds[name] for name, error in verdict.errors.items()]
    tally.of_bound = check.largest([tally.of_bound, *shares])
    if verdict.right:
        tally.right += 1
    else:
        tally.wrong = tally.wrong or f"{title}: {verdict}"


def _errors(tally: Tally) -> tuple[str, str, str]:
    """Write the errors of output and gradients, and the share of what is allowed; dashes for none."""
    if tally.out is None:
        return units.NOTHING, units.NOTHING, units.NOTHING
    gradients = units.NOTHING if tally.gradients is None else f"{tally.gradients:.1e}"
    of_bound = f"{tally.of_bound:.0%}" if tally.of_bound < 10 else f"{tally.of_bound:.0e}x"
    return f"{tally.out:.1e}", gradients, of_bound


def _print(tallies: dict[str, dict[str, Tally]], missing: dict[str, str], device: str) -> None:
    screen = console()
    title = (
        f"largest errors over the size of what is summed: {len(PROBLEMS)} hard problems and random ones of "
    )
    table = Table(title=f"{title}each implementation's kind, on {device}")
    for name in (
        "implementation",
        "dtype",
        "right",
        "unsupported",
        "output",
        "gradients",
        "of what is allowed",
    ):
        table.add_column(name, justify="left" if name in ("implementation", "dtype") else "right")
    for dtype, by_name in tallies.items():
        for name, tally in by_name.items():
            table.add_row(name, dtype, str(tally.right), str(tally.unsupported), *_errors(tally))
    screen.print(table)
    for by_name in tallies.values():
        for name, tally in by_name.items():
            if tally.wrong:
                screen.print(f"wrong: {name}, {tally.wrong}", soft_wrap=True)
            elif tally.doubt:
                screen.print(f"proves little: {name}, {tally.doubt}", soft_wrap=True)
    say_left_out(missing)
