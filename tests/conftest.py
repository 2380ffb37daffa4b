"""Load the plug-ins, and make memory that nobody wrote to visible."""

import pytest
import torch

from halobench import attention, plugins, report

plugins.load_all(attention.GROUP)
plugins.load_all(report.GROUP)


@pytest.fixture(autouse=True)
def poisoned_memory():
    """Fill what `torch.empty` and its like give with nan; compiled code too."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)
