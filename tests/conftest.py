"""Let peers warn, and make memory that nobody wrote to visible."""

import json
import os
import shutil
from contextlib import ExitStack

import pytest
import torch
from filelock import FileLock

from halobench.registry import Registry

NATTEN = (  # it warns of how it calls torch, once a process
    "ignore:return_lse is deprecated:FutureWarning",
    "ignore:flex_attention called without torch.compile:UserWarning",
)

os.environ.setdefault(
    "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
)  # or cuBLAS is not deterministic, and torch says so


@pytest.fixture
def registered():
    """Register an entry for the length of a test: `registered(registry, name, entry)`."""
    with ExitStack() as stack:
        yield lambda *entry: stack.enter_context(Registry.temporarily(*entry))


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Make something once for all workers: `once(name, make)` is what `make(folder)` gave, as JSON."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def made(name, make):
        folder = root / f"once-{name}"
        with FileLock(f"{folder}.lock"):
            if not (folder / "result.json").exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed half-way
                folder.mkdir()
                (folder / "result.json").write_text(json.dumps(make(folder)))
        return json.loads((folder / "result.json").read_text())

    return made


@pytest.fixture(autouse=True)
def poisoned_memory():
    """Fill what `torch.empty` and its like give with nan; compiled code too."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    """An error of CUDA that stays with the process fails its own test only: no other runs in this one."""
    if item.get_closest_marker("gpu") is None or not torch.cuda.is_available():
        return
    try:
        torch.cuda.synchronize()
    except RuntimeError as error:
        if "PYTEST_XDIST_WORKER" in os.environ:
            os._exit(1)  # another worker takes its place
        pytest.exit(f"{item.nodeid} spoilt CUDA, start again behind it: {error}", returncode=3)


def pytest_configure(config):
    for warning in NATTEN:
        config.addinivalue_line("filterwarnings", warning)
