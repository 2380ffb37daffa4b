"""One's own kernel in one file, tried against everything here without packaging it."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from halobench import plugins
from halobench.attention.implementation import load_files
from halobench.errors import UsageError
from halobench.plugins import LeftOutError

MINE = """
from halobench.attention import attention
from halobench_kernels.haloed_blocked import haloed_blocked

@attention("mine")
def mine(q, k, v, position, problem):
    return haloed_blocked(q, k, v, position, problem)

@attention("half")
def half(q, k, v, position, problem):
    return 0.5 * haloed_blocked(q, k, v, position, problem)
"""
SWEEP = "sweep smoke --workload attention --resolution 8 --direction forward --border zero --position sum"


def halobench(folder, *words):
    command = [sys.executable, "-m", "halobench", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def folder(once):
    """A folder with `mine.py` and a run of what it registers."""

    def sweeping(folder):
        (folder / "mine.py").write_text(MINE)
        words = [*SWEEP.split(), "--implementation", "mine,half", "--plugin", "mine.py", "--out", "run"]
        done = halobench(folder, *words)
        assert done.returncode == 1, done.stderr  # `half` is wrong
        return str(folder)

    return Path(once("own-kernel", sweeping))


@pytest.mark.slow
def test_what_a_file_registers_is_measured_and_judged_in_its_children(folder):
    frame = pd.read_parquet(folder / "run" / "results.parquet").set_index("implementation")
    assert frame.loc["mine", "status"] == "ok"
    assert frame.loc["half", "status"] == "wrong"


@pytest.mark.slow
def test_the_run_says_which_file_it_was_and_how_to_do_it_again(folder):
    digest = hashlib.sha256(MINE.encode()).hexdigest()
    environment = json.loads((folder / "run" / "environment.json").read_text())
    assert environment["plugin_files"] == {str(folder / "mine.py"): digest}
    assert f"--plugin {folder / 'mine.py'}" in (folder / "run" / "report.html").read_text()


@pytest.mark.slow
def test_a_run_is_resumed_with_the_same_file_only(folder):
    assert halobench(folder, "sweep", "--resume", "run").returncode == 1  # as before: nothing is left to do
    (folder / "mine.py").write_text(MINE + "# changed")
    done = halobench(folder, "sweep", "--resume", "run")
    assert (done.returncode, done.stderr) == (
        2, f"halobench: run was begun with another {folder / 'mine.py'}\n"
    )  # fmt: skip


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Write a file, which is no plug-in after the test."""
    monkeypatch.setenv(plugins.FILES, "")
    monkeypatch.delitem(sys.modules, "halobench_plugin_unlikely_name", raising=False)

    def write(source, name="unlikely_name.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
        return tmp_path / name

    return write


def test_a_file_that_is_missing_is_said(tmp_path):
    with pytest.raises(UsageError, match=r"plugin: there is no file .*missing\.py"):
        load_files([tmp_path / "missing.py"])


def test_a_file_that_registers_nothing_is_said(mine):
    with pytest.raises(UsageError, match=r"unlikely_name\.py registers no implementation"):
        load_files([mine("x = 1")])


def test_a_file_that_cannot_be_imported_says_why(mine):
    with pytest.raises(LeftOutError, match="unlikely_name is left out: OSError: no library"):
        load_files([mine("raise OSError('no library')")])


def test_two_files_of_one_name_are_said(mine):
    with pytest.raises(UsageError, match="have one name"):
        load_files([mine("x = 1", "a/same.py"), mine("x = 1", "b/same.py")])
