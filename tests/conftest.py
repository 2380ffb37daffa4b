"""Let peers warn, and make memory that nobody wrote to visible."""

import os
from contextlib import ExitStack

import pytest
import torch

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
