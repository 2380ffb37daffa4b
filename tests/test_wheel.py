"""What is published: built from a clean copy, complete, and at work without the checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".venv", "venv", "out", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".nox"
)


def run(*command, cwd, **environment):
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(once):
    """A folder that holds the wheel's content, and nothing of the checkout."""
    return Path(once("wheel", installing))


def installing(folder):
    shutil.copytree(ROOT, folder / "copy", ignore=NOT_SOURCE)
    run("-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), cwd=folder / "copy")
    found = sorted(path.suffix for path in (folder / "dist").iterdir())
    assert found == [".gz", ".whl"]
    run("-m", "twine", "check", "--strict", *map(str, (folder / "dist").iterdir()), cwd=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    target = folder / "installed"
    run("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel), cwd=folder)
    return str(target)


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages(installed):
    for folder, name in (
        ("halobench", "halobench"),
        ("kernels", "halobench_kernels"),
        ("reports", "halobench_reports"),
    ):
        files = [
            path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts
        ]
        missing = [
            path for path in files if not (installed / name / path.relative_to(ROOT / folder)).exists()
        ]
        assert not missing


@pytest.mark.slow
def test_the_wheel_sweeps_without_the_checkout(installed, tmp_path):
    told = run(
        "-m",
        "halobench",
        "sweep",
        "smoke",
        "--implementation",
        "haloed_chunked",
        *("--workload", "attention", "--direction", "forward", "--border", "zero", "--position", "sum"),
        "--out",
        "run",
        cwd=tmp_path,
        PYTHONPATH=str(installed),
        PYTHONSAFEPATH="1",
    )
    assert "measured: 2 cases" in told
    origin = run("-c", "import halobench; print(halobench.__file__)", cwd=tmp_path, PYTHONPATH=str(installed))
    assert Path(origin.strip()).is_relative_to(installed)
    assert (tmp_path / "run" / "report.html").stat().st_size > 100_000
