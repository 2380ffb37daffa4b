"""A case, or any call, in a process of its own: a timeout, a crash and a lack of memory become statuses.

Children are forked from a server that has imported what they need but computed nothing, which
takes a few hundredths of a second each; a process that has computed cannot be forked safely. So the
server imports none but our own plug-ins, and of those only what the cases ask for: what another
distribution does at its import can concern nothing but its own cases.
"""

import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

import psutil

from halobench.device import allocator, openmp
from halobench.plugins import told
from halobench.results.record import Status

T = TypeVar("T")
LATE = (  # torch imports them in 0.4 s at the first backward pass, and 1.2 s at the first call of an operator
    "torch.fx.experimental.symbolic_shapes",
    "torch._dynamo",
)
GRACE_S = 1.0  # that a child has to end after its result
SPARE = 0.95  # of the free memory is what a child may take


@dataclass(frozen=True)
class ChildFailure:
    """What became of a child that sent no result."""

    status: Status
    reason: str


def preload(modules: Iterable[str], wait_policy: str = openmp.DEFAULT) -> None:
    """Start the server; what it imports, and how the threads of its children wait.

    Once it runs it stays as it is. None of the modules may touch CUDA: a process forked from one that has
    cannot use it.
    """
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["halobench.isolate", *LATE, *sorted(set(modules))])
    with openmp.environment(wait_policy):
        forkserver.ensure_running()


def run_isolated(
    call: Callable[[], T], timeout: float, *, limited: bool = False, state: str = allocator.DEFAULT
) -> T | ChildFailure:
    """What a call gives in a child; after `timeout` seconds the child and all it started are killed.

    Args:
        call: what can be pickled.
        timeout: in seconds.
        limited: the child may not take more memory than there is.
        state: of the child's allocator, from its first call on.
    """
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe(duplex=False)
    with tempfile.NamedTemporaryFile("r", prefix="halobench-", errors="replace") as said:
        kills = _memory_kills()
        child = context.Process(target=_child, args=(theirs, said.name, call, limited, state))
        try:
            child.start()
            theirs.close()
            in_time = ours.poll(timeout)
            sent: list[T] = _receive(ours) if in_time else []
            child.join(timeout=GRACE_S)  # it ends by itself, unless it hangs
            if not in_time:
                return ChildFailure("timeout", f"no result after {timeout:g} s")
            return sent[0] if sent else _ending(child, kills, said.read())
        finally:  # also when the user interrupts
            _kill(child)


def _receive(ours: Connection) -> list[Any]:
    """The result; nothing where the child ended without one."""
    try:
        return [ours.recv()]
    except (EOFError, OSError):  # before it, or in the midst of it
        return []
    except Exception as error:  # what a result does where it is read is its own
        return [ChildFailure("crashed", f"its result cannot be read: {told(error)}")]


def _ending(child: BaseProcess, kills: int, said: str) -> ChildFailure:
    """Why a child that ended sent no result."""
    code = child.exitcode or 0
    if code == -signal.SIGKILL and _memory_kills() > kills:
        return ChildFailure("oom", "killed by the system for want of memory")
    how = f"signal {_signal(-code)}" if code < 0 else f"exit code {code} and no result"
    last = said.strip().splitlines()[-1:]
    return ChildFailure("crashed", ": ".join([f"ended with {how}", *last]))


def _signal(number: int) -> str:
    """The name of a signal; those of real time have none in Python."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _kill(child: BaseProcess) -> None:
    """Kill the child and all it started, also what outlives it."""
    if child.pid is None:  # interrupted before there was one
        return
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:  # nothing is left, or the child has no group of its own yet
        child.kill()
    child.join()


def _child(theirs: Connection, said: str, call: Callable[[], object], limited: bool, state: str) -> None:
    os.setsid()
    allocator.enter(state)
    with Path(said).open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    if limited:
        _limit_memory()
    theirs.send(call())


def _limit_memory() -> None:
    """Make too large an allocation raise here, so that the system need not kill anything."""
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    own = psutil.Process().memory_info().data
    most = int(own + SPARE * psutil.virtual_memory().available)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _memory_kills() -> int:
    """Processes that the system has killed so far for want of memory; 0 where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
