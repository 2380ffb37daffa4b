"""The command `check`: the largest errors of every implementation over the hard problems."""

from dataclasses import dataclass, replace

from rich.progress import track
from rich.table import Table

from halobench import attention, check, oracle, plugins, text
from halobench.attention import ATTENTIONS, Attention
from halobench.hard import PROBLEMS
from halobench.problem import CHOICES
from halobench.progress import console, say_left_out
from halobench.sweep import devices, usable


@dataclass
class Tally:
    """Of one implementation in one dtype."""

    right: int = 0
    unsupported: int = 0
    out: float | None = None
    gradients: float | None = None
    of_bound: float = 0.0  # the largest share of an error in what is allowed
    wrong: str = ""


def show(names: list[str], dtypes: list[str], device: str | None) -> int:
    """Print a table; 1 if anything is wrong."""
    missing = plugins.load_all(attention.GROUP)
    entries = list(ATTENTIONS.values()) if "all" in names else [ATTENTIONS[name] for name in names]
    device = usable(device or devices()[0])
    for dtype in dtypes:
        if dtype not in CHOICES["dtype"]:
            raise ValueError(f"dtype: {dtype!r} must be one of {', '.join(CHOICES['dtype'])}")
    tallies = {dtype: _tallies(entries, dtype, device) for dtype in dtypes}
    _print(tallies, missing, device)
    return int(any(tally.wrong for by_name in tallies.values() for tally in by_name.values()))


def _tallies(entries: list[Attention], dtype: str, device: str) -> dict[str, Tally]:
    tallies = {entry.name: Tally() for entry in entries}
    for title, problem in track(PROBLEMS.items(), f"checking in {dtype}", console=console(), transient=True):
        in_dtype = replace(problem, dtype=dtype)
        given = oracle.inputs(in_dtype, device=device)
        known = check.truth(in_dtype, given)
        for entry in entries:
            if entry.unsupported(in_dtype, device, "forward"):
                tallies[entry.name].unsupported += 1
                continue
            try:
                verdict = check.examine(entry, in_dtype, given, known)
            except Exception as error:  # one broken plug-in must not end the check of the others
                reason = f"{title}: {type(error).__name__}: {error}"
                tallies[entry.name].wrong = tallies[entry.name].wrong or reason
                continue
            _count(tallies[entry.name], verdict, title)
    return tallies


def _count(tally: Tally, verdict: check.Verdict, title: str) -> None:
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
    """Of the output, of gradients, and the share of what is allowed; nothing where there was none."""
    if tally.out is None:
        return text.NOTHING, text.NOTHING, text.NOTHING
    gradients = text.NOTHING if tally.gradients is None else f"{tally.gradients:.1e}"
    return f"{tally.out:.1e}", gradients, f"{tally.of_bound:.0%}"


def _print(tallies: dict[str, dict[str, Tally]], missing: dict[str, str], device: str) -> None:
    screen = console()
    table = Table(title=f"largest relative errors over {len(PROBLEMS)} hard problems, on {device}")
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
    say_left_out(missing)
