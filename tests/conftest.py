"""Load the plug-ins, let peers warn, and make memory that nobody wrote to visible."""

import os

import pytest
import torch

from halobench import attention, plugins, report

NATTEN = (  # it warns of how it calls torch, once a process
    "ignore:return_lse is deprecated:FutureWarning",
    "ignore:flex_attention called without torch.compile:UserWarning",
)

os.environ.setdefault(
    "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
)  # or cuBLAS is not deterministic, and torch says so

plugins.load_all(attention.GROUP)
plugins.load_all(report.GROUP)


@pytest.fixture(autouse=True)
def poisoned_memory():
    """Fill what `torch.empty` and its like give with nan; compiled code too."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


def pytest_configure(config):
    for warning in NATTEN:
        config.addinivalue_line("filterwarnings", warning)
