"""Many problems by one implementation, each verdict a line of JSON the moment it is known.

Meant for processes of their own: an illegal memory access on a GPU spoils all that a process does after it.
"""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from halobench import files, isolate
from halobench.attention import check, oracle
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.attention.problem import Problem
from halobench.attention.problem_sets import PROBLEMS, SETS
from halobench.deadline import NEVER, Deadline
from halobench.device import ptxas
from halobench.device.device import answers
from halobench.isolate import ChildFailure

KNOWN = PROBLEMS | SETS["all"]
AT_ONCE = 6  # problems of a child, at most: what a child that ends loses is little
ENOUGH_S = 30.0  # a problem: two kernels are compiled, and the oracle is asked


class Asked(NamedTuple):
    """One problem of one implementation in one dtype."""

    implementation: str
    dtype: str
    problem: str  # its title in `KNOWN`


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What became of one problem."""

    implementation: str
    dtype: str
    problem: str
    status: str  # right, wrong, unsupported, failed; timeout, crashed, oom where the process ended
    reason: str = ""
    errors: dict[str, float] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)

    @property
    def asked(self) -> Asked:
        return Asked(self.implementation, self.dtype, self.problem)


def tell_all(
    asked: Iterable[Asked], device: str, file: Path, processes: int, deadline: Deadline = NEVER
) -> bool:
    """Append a line for each that has none yet, in so many processes at once; False if time was over first.

    Where one ends without a result, its problem gets a line that says so, and a new one goes on behind it.
    """
    told = {line.asked for line in read(file)}
    left = [each for each in asked if each not in told]
    count = max(processes, -(-len(left) // AT_ONCE))
    stop = _stop(file)
    stop.unlink(missing_ok=True)
    pool = ThreadPoolExecutor(processes)
    try:
        shares = [left[start::count] for start in range(count)]
        each = partial(_tell_share, device=device, file=file, deadline=deadline)
        return all(list(pool.map(each, shares)))
    finally:  # also when the user interrupts: children end after the problem that they are at
        stop.touch()
        pool.shutdown(cancel_futures=True)
        stop.unlink()


def _tell_share(share: list[Asked], device: str, file: Path, deadline: Deadline) -> bool:
    """Return whether all of the share has its line; the problem that the deadline ends has none."""
    while share and not _stop(file).exists() and not deadline.over:
        limit_s = min(ENOUGH_S * len(share), deadline.left_s)
        done = isolate.run_isolated(partial(tell, share, device, file), limit_s)
        told = {line.asked for line in read(file)}
        share = [each for each in share if each not in told]
        if share and isinstance(done, ChildFailure) and not deadline.over:
            add(CheckResult(**share.pop(0)._asdict(), status=done.status, reason=done.reason), file)
    return not share


def tell(asked: Iterable[Asked], device: str, file: Path) -> None:
    """Append a line for each, up to the first that spoils the device for the process, or till told to end."""
    if device == "cuda":
        ptxas.chosen()  # before anything is compiled
    for each in asked:
        add(verdict(each, device), file)
        if not answers(device) or _stop(file).exists():
            return


def _stop(file: Path) -> Path:
    """What is there tells children to end."""
    return file.with_suffix(".stop")


def add(line: CheckResult, file: Path) -> None:
    files.add_line(json.dumps(asdict(line)), file)


def read(file: Path) -> list[CheckResult]:
    """Return the last result of each problem, as what was interrupted is done again; none without a file."""
    lines = [CheckResult(**json.loads(line)) for line in files.objects(file)]
    return list({line.asked: line for line in lines}.values())


def verdict(asked: Asked, device: str) -> CheckResult:
    """Whatever happens, a line."""
    problem = replace(KNOWN[asked.problem], dtype=asked.dtype)
    line = partial(CheckResult, **asked._asdict())
    if reason := IMPLEMENTATIONS[asked.implementation].unsupported(problem, device, "forward"):
        return line(status="unsupported", reason=reason)
    try:
        return _examined(asked, problem, device)
    except Exception as error:  # one broken case must not end the check of the others
        return line(status="failed", reason=f"{type(error).__name__}: {error}".splitlines()[0])


def _examined(asked: Asked, problem: Problem, device: str) -> CheckResult:
    given = oracle.inputs(problem, device=device)
    found = check.examine(IMPLEMENTATIONS[asked.implementation], problem, given, check.truth(problem, given))
    status, reason = ("right", "") if found.right else ("wrong", str(found))
    return CheckResult(
        **asked._asdict(), status=status, reason=reason, errors=found.errors, bounds=found.bounds
    )
