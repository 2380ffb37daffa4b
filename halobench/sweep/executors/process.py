"""The executor that measures each case in a process of its own, on this machine."""

import hashlib
import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from halobench import plugins
from halobench.attention.implementation import GROUP, IMPLEMENTATIONS
from halobench.case import ORIGINAL, Case
from halobench.deadline import NEVER, Deadline
from halobench.device import openmp, ptxas
from halobench.isolate import ChildFailure, preload, run_isolated
from halobench.measure import compile_cache
from halobench.measure.measurement import measure as measure_here
from halobench.measure.measurement import work_of, workload
from halobench.measure.workload import Settings
from halobench.results.record import Record
from halobench.sweep.spec import RunSettings

AS_IT_IS = ("", ORIGINAL)  # cases with none of our implementations inside


@dataclass(frozen=True)
class Processes:
    """Children of a server, one per case, for `timeout` seconds; one that the deadline ends has no record."""

    settings: Settings
    timeout: float
    wait_policy: str = openmp.DEFAULT
    deadline: Deadline = NEVER

    @classmethod
    def of(cls, settings: Settings, run: RunSettings, deadline: Deadline) -> "Processes":
        """Return the executor for the cases of such a run."""
        return cls(settings, run.timeout, run.wait_policy, deadline)

    def start(self, plan: Iterable[Case]) -> None:
        start(plan, self.wait_policy)

    def measure(self, group: Sequence[Case]) -> Iterator[Record]:
        for case in group:
            record = measure(case, self.settings, min(self.timeout, self.deadline.left_s))
            if record.status == "timeout" and self.deadline.over:
                return
            yield record


def start(plan: Iterable[Case], wait_policy: str = openmp.DEFAULT) -> None:
    """Start the server with all that these cases import."""
    cases = list(plan)
    entries = [
        IMPLEMENTATIONS[name] for name in sorted({case.implementation for case in cases} - set(AS_IT_IS))
    ]
    ours = [entry for entry in entries if entry.module in plugins.modules(GROUP, ours=True)]
    theirs = [module for entry in ours for module in (entry.module, *entry.imports)]
    workloads = [workload(case).__name__ for case in cases]
    preload([__name__, *workloads, *theirs], wait_policy)


def measure(case: Case, settings: Settings, timeout: float) -> Record:
    """Measure in a child; a record whatever becomes of it."""
    _foresee(case, settings, timeout)
    modules = [] if case.implementation in AS_IT_IS else [IMPLEMENTATIONS[case.implementation].module]
    call = partial(_measured, case, settings, modules)
    done = run_isolated(call, timeout, limited=case.device == "cpu", state=case.allocator)
    if isinstance(done, ChildFailure):
        return Record(case=case, status=done.status, reason=done.reason, work=work_of(case))
    return done


def _foresee(case: Case, settings: Settings, timeout: float) -> None:
    """What cases of one problem share is computed in a child of its own, so that all of these begin alike."""
    if settings.truths is None:
        return
    name = replace(case, implementation="").id
    asked = settings.truths / f"{hashlib.sha256(name.encode()).hexdigest()}.asked"
    if not asked.exists():
        asked.touch()
        run_isolated(partial(workload(case).foresee, case, settings), timeout, limited=case.device == "cpu")


def _measured(case: Case, settings: Settings, modules: Iterable[str]) -> Record:
    """Measure in the child, which imports what another distribution plugs in; clocks are bound already."""
    if case.device == "cuda":
        ptxas.chosen()  # before anything is compiled, whoever compiles it
    for module in modules:
        importlib.import_module(module)
    with compile_cache.own(settings.compiled) as keep:
        record = measure_here(case, settings)
        if record.status == "ok":
            keep()
    return record
