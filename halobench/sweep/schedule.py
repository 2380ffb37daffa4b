"""The order in which a sweep measures its cases, and which of them it prunes."""

import dataclasses
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby

from halobench.axes import SIZES
from halobench.case import Case
from halobench.deadline import NEVER, Deadline
from halobench.measure.measurement import work_of
from halobench.results.record import Record
from halobench.sweep.executors.executor import Executor

TOO_LARGE = ("oom", "timeout")


def run(  # noqa: PLR0913  what a run was begun with, and what it is resumed with
    plan: Iterable[Case],
    executor: Executor,
    *,
    replicates: int = 1,
    seed: int = 0,
    before: Iterable[Record] = (),
    deadline: Deadline = NEVER,
) -> Iterator[Record]:
    """Measure every case as often as asked; what is larger than one that was too large is left out.

    `before` are the records of a run that is resumed: they are not measured again. After the deadline no case
    is begun.
    """
    before = list(before)
    done = {(record.case, record.replicate) for record in before}
    too_large = [record for record in before if record.status in TOO_LARGE]
    for replicate, case in _order(plan, replicates, random.Random(seed)):
        if (case, replicate) in done:
            continue
        if deadline.over:
            return
        pruned = _pruned(case, too_large)
        for record in executor.measure([case]) if pruned is None else [pruned]:
            if record.status in TOO_LARGE:
                too_large.append(record)
            yield dataclasses.replace(record, replicate=replicate, ended=_now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _pruned(case: Case, too_large: list[Record]) -> Record | None:
    """Return a record for a case not smaller than one that was too large; for that very case, its own."""
    for other in too_large:
        if case == other.case:
            return other
        if _not_smaller(case, other.case):
            return Record(
                case=case, status="pruned", reason=f"{other.case.id} was too large", work=work_of(case)
            )
    return None


def _order(plan: Iterable[Case], replicates: int, chance: random.Random) -> Iterator[tuple[int, Case]]:
    """Once: as planned. Else in rounds over the plan, the implementations of a problem in random order.

    So those that are compared are measured within seconds of each other, and the replicates of a case
    minutes apart: a machine that is busy for a while does not meet all of them.
    """
    problems = [
        list(alike)
        for _, alike in groupby(plan, key=lambda case: dataclasses.replace(case, implementation=""))
    ]
    for replicate in range(replicates):
        for cases in problems:
            if replicates > 1:
                chance.shuffle(cases)
            yield from ((replicate, case) for case in cases)


def _not_smaller(case: Case, other: Case) -> bool:
    """Whether two cases differ in sizes only, and none of the first's is below the other's."""
    if type(case) is not type(other):
        return False
    these, others = case.fields, other.fields
    same = all(these[name] == others[name] for name in these if name not in SIZES)
    return same and all(these[name] >= others[name] for name in SIZES if name in these)
