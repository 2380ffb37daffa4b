"""Real children, with implementations that behave badly, plugged in as another distribution's are.

All of it runs once, in a process of its own: the server of children imports what it finds when it starts.
"""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow

HEAD = """
import os, subprocess, sys, threading, time, torch
from halobench.attention import attention
from halobench.attention.implementation import IMPLEMENTATIONS
"""
BAD = {
    "wrong": "return v.clone()",
    "raises": "raise RuntimeError('no such kernel')",
    "hangs": """\
        sleeper = subprocess.Popen(["sleep", "600"])
        print(sleeper.pid, file=open(os.environ["SLEEPER"], "w"), flush=True)
        time.sleep(600)
    """,
    "late": "time.sleep(0.6); return right(q, k, v, position, problem)",
    "lingers": """\
        threading.Thread(target=time.sleep, args=(600,)).start()
        return right(q, k, v, position, problem)
    """,
    "aborts": "print('the last words', file=sys.stderr, flush=True); os.abort()",
    "segfaults": "os.kill(os.getpid(), 11)",
    "leaves": "os._exit(3)",
    "signalled": "os.kill(os.getpid(), 40)",  # of real time: without a name
    "too_large": "return [torch.empty(2**30, dtype=torch.uint8) for _ in range(100_000)]",
    "elsewhere": "return v",
    "patches": "return right(q, k, v, position, problem)",
    "computes": "return right(q, k, v, position, problem)",
    "lazy": "return right(q, k, v, position, problem).as_subclass(type('Lazy', (torch.Tensor,), {}))",
    "not_asked_for": "return v",
}
AT_IMPORT = {
    "patches": "time.perf_counter = lambda: -1.0",
    "computes": "torch.randn(1000, 1000).softmax(-1) @ torch.randn(1000, 1000)",
    "not_asked_for": "time.sleep(600)",
}
SCRIPT = """
import json, sys
from halobench.attention import Problem
from halobench.case import AttentionCase
from halobench.measure.stopping import StoppingCriterion
from halobench.measure.workload import Settings
from halobench.sweep.executors import process

def case(name):
    problem = Problem(height=4, width=4, block=2, halo=1)
    return AttentionCase(implementation=name, direction="forward", problem=problem)

names = json.loads(sys.argv[1])
process.start([case(name) for name in names])
settings = Settings(stop=StoppingCriterion(seconds=1e-3, min_samples=1))
for name, timeout in names.items():
    record = process.measure(case(name), settings, timeout)
    shortest = min(record.samples, default=None)
    print(json.dumps([name, record.status, record.reason, len(record.samples), record.work.flop, shortest]))
"""


def plugged_in(name, body):
    """The source of an implementation."""
    option = ", unsupported=lambda *asked: 'needs a GPU'" if name == "elsewhere" else ""
    lines = "right = IMPLEMENTATIONS['naive_global'].attend\n" + textwrap.dedent(body)
    function = f"def {name}(q, k, v, position, problem):\n" + textwrap.indent(lines, "    ")
    return f"@attention({name!r}{option})\n{function}"


@pytest.fixture(scope="module")
def plugins(once):
    """A folder with a distribution that plugs the bad ones in, and name -> status, reason and so on."""
    folder, outcomes = once("badly_behaved", lambda folder: (str(folder), behaved(plug_in(folder))))
    return Path(folder), outcomes


@pytest.fixture
def outcomes(plugins):
    """Name -> status, reason, how many samples, FLOPs, the shortest sample."""
    return plugins[1]


def plug_in(folder):
    (folder / "badly_behaved").mkdir()
    (folder / "badly_behaved" / "__init__.py").touch()
    apart = {name: {name: BAD[name]} for name in AT_IMPORT}  # each import is tried in a process of its own
    together = {name: body for name, body in BAD.items() if name not in AT_IMPORT}
    for file, bodies in (apart | {"wrong": together}).items():
        source = "\n".join([HEAD, AT_IMPORT.get(file, ""), *(plugged_in(*each) for each in bodies.items())])
        (folder / "badly_behaved" / f"{file}.py").write_text(source)
    info = folder / "badly_behaved-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: badly-behaved\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[halobench.kernels]\nbadly_behaved = badly_behaved\n")
    return folder


def behaved(plugins):
    timeouts = {"haloed_blocked": 60} | dict.fromkeys(BAD, 60) | {"hangs": 2, "late": 1}
    del timeouts["not_asked_for"]
    environment = os.environ | {"PYTHONPATH": str(plugins), "SLEEPER": str(plugins / "sleeper")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(timeouts)],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {name: outcome for name, *outcome in map(json.loads, done.stdout.splitlines())}


def test_what_is_right_is_measured(outcomes):
    status, reason, samples, *_ = outcomes["haloed_blocked"]
    assert (status, reason) == ("ok", "")
    assert samples >= 1


STATUSES = {
    "wrong": ("wrong", "out is off by"),
    "raises": ("failed", "RuntimeError: no such kernel"),
    "elsewhere": ("unsupported", "needs a GPU"),
    "hangs": ("timeout", "no result after 2 s"),
    "late": ("timeout", "no result after 1 s"),
    "aborts": ("crashed", "ended with signal SIGABRT: the last words"),
    "segfaults": ("crashed", "ended with signal SIGSEGV"),
    "leaves": ("crashed", "ended with exit code 3"),
    "signalled": ("crashed", "ended with signal 40"),
    "too_large": ("oom", "RuntimeError: "),
    "lazy": ("wrong", "the output is a Lazy, not a plain torch.Tensor"),
}


@pytest.mark.parametrize("name", STATUSES)
def test_whatever_a_child_does_becomes_a_status_with_a_reason(outcomes, name):
    status, reason, samples, *_ = outcomes[name]
    assert (status, samples) == (STATUSES[name][0], 0)
    assert reason.startswith(STATUSES[name][1])


def test_a_clock_that_a_plugin_patches_is_not_asked(outcomes):
    status, *_, shortest = outcomes["patches"]
    assert status == "ok"
    assert 0 < shortest < 1


def test_what_a_plugin_computes_at_its_import_keeps_nothing_from_being_measured(outcomes):
    assert outcomes["computes"][0] == "ok"


def test_a_child_that_does_not_end_after_its_result_is_ended(outcomes):
    assert outcomes["lingers"][0] == "ok"  # and those after it were measured


def test_what_a_child_that_hangs_has_started_is_killed_too(outcomes, plugins):
    sleeper = int((plugins[0] / "sleeper").read_text())
    assert not psutil.pid_exists(sleeper) or psutil.Process(sleeper).status() == psutil.STATUS_ZOMBIE


def test_the_work_of_a_case_without_a_result_is_known(outcomes):
    along_an_axis = 2 * 3 + 2 * 3  # two blocks of two queries that see three of the four positions
    flop = 2 * along_an_axis**2 * (16 + 16)
    assert {outcomes[name][3] for name in ("hangs", "aborts", "too_large")} == {flop}


SENDING = """
import os, threading, time
from halobench import isolate

class Large:  # the pipe is full when the process dies
    def __init__(self): self.data = b"x" * (64 << 20)

def dies():
    threading.Thread(target=lambda: (time.sleep(0.05), os._exit(1)), daemon=True).start()
    return Large()

class Odd:
    def __reduce__(self): return (int, ("no number",))

if __name__ == "__main__":
    isolate.preload([])
    for call in (dies, Odd):
        done = isolate.run_isolated(call, 20)
        print(done.status, done.reason)
"""


def test_what_is_cut_off_while_it_is_sent_or_cannot_be_read_is_a_crash(tmp_path):
    (tmp_path / "sending.py").write_text(SENDING)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "sending.py")], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [
        "crashed ended with exit code 1 and no result",
        "crashed its result cannot be read: ValueError: invalid literal for int() with base 10: 'no number'",
    ], done.stderr


TOUCHED = """
import importlib, threading, torch
from halobench import isolate, plugins
from halobench.attention import Problem
from halobench.case import AttentionCase, ModelCase
from halobench.sweep.executors import process

def touched(*_):
    raise SystemExit("CUDA was touched")

for name in ("is_available", "device_count", "_lazy_init"):
    setattr(torch.cuda, name, touched)
asked = []
server = type("Server", (), {"set_forkserver_preload": lambda self, names: asked.extend(names)})
isolate.multiprocessing.get_context = lambda method: server()
problem = Problem(height=4, width=4, block=2, halo=1)
case = AttentionCase(implementation="sdpa_blocked", direction="forward", problem=problem)
network = ModelCase(model="halonet_h0", implementation="", direction="inference", image_size=64, batch=1)
process.start([case, network])
for name in asked:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        pass
assert "halobench_kernels.sdpa_blocked" in asked and "halobench.measure.model_workload" in asked
assert "halobench_kernels.flex_blocks" not in asked and threading.active_count() == 1
"""


def test_what_the_server_imports_touches_no_gpu_and_starts_no_thread():
    done = subprocess.run([sys.executable, "-c", TOUCHED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
