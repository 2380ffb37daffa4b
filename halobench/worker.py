"""A case in a process of its own: a timeout, a crash and a lack of memory become statuses.

Children are forked from a server that has imported what they need but computed nothing, which
takes a few hundredths of a second each; a process that has computed can not be forked safely.
"""

import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

import psutil

from halobench import attention, plugins
from halobench.prepare import Settings
from halobench.problem import Case
from halobench.record import Record, Status
from halobench.run import measure as measure_here
from halobench.run import work_of

LATE = "torch.fx.experimental.symbolic_shapes"  # torch imports it at the first backward pass, for 0.4 s
GRACE_S = 1.0  # that a child has to end after its result
SPARE = 0.95  # of the free memory is what a child may take


def start(plan: Iterable[Case]) -> None:
    """Start the server with all that these cases import."""
    modules = {f"halobench.prepare_{case.workload}" for case in plan}
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(
        ["halobench.worker", LATE, *sorted(modules), *plugins.modules(attention.GROUP)]
    )


def measure(case: Case, settings: Settings, timeout: float) -> Record:
    """Measure in a child; after `timeout` seconds it and all it started are killed."""
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe(duplex=False)
    with tempfile.NamedTemporaryFile("r", prefix="halobench-", errors="replace") as said:
        kills = _memory_kills()
        child = context.Process(target=_child, args=(theirs, said.name, case, settings))
        child.start()
        theirs.close()
        try:
            in_time = ours.poll(timeout)
            record = _receive(ours) if in_time else None
            child.join(timeout=GRACE_S)  # it ends by itself, unless it hangs
            if record is None:
                late = ("timeout", f"no result after {timeout:g} s")
                status, reason = _ending(child, kills, said.read()) if in_time else late
                record = Record(case=case, status=cast(Status, status), reason=reason, work=work_of(case))
        finally:  # also when the user interrupts
            _kill(child)
    return record


def _receive(ours: Connection) -> Record | None:
    """None where the child ended without a result."""
    try:
        record: Record = ours.recv()
    except EOFError:
        return None
    return record


def _ending(child: BaseProcess, kills: int, said: str) -> tuple[Status, str]:
    """Why a child that ended sent no result."""
    code = child.exitcode or 0
    if code == -signal.SIGKILL and _memory_kills() > kills:
        return "oom", "killed by the system for want of memory"
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code} and no result"
    last = said.strip().splitlines()[-1:]
    return "crashed", ": ".join([f"ended with {how}", *last])


def _kill(child: BaseProcess) -> None:
    """And all it started, also what outlives it."""
    try:
        os.killpg(cast(int, child.pid), signal.SIGKILL)
    except ProcessLookupError:  # nothing is left, or the child has no group of its own yet
        child.kill()
    child.join()


def _child(theirs: Connection, said: str, case: Case, settings: Settings) -> None:
    os.setsid()
    with Path(said).open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    if case.device == "cpu":
        _limit_memory()
    theirs.send(measure_here(case, settings))


def _limit_memory() -> None:
    """So that too large an allocation raises here, and the system need not kill anything."""
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    own = psutil.Process().memory_info().data
    most = int(own + SPARE * psutil.virtual_memory().available)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _memory_kills() -> int:
    """Processes that the system has killed so far for want of memory."""
    lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
