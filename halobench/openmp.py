"""How threads of a parallel region wait for each other: the environment decides it when torch is loaded."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "OMP_WAIT_POLICY"
POLICIES = ("passive", "active", "inherited")  # the last is whatever the user's environment says
DEFAULT = "passive"


@contextmanager
def environment(policy: str) -> Iterator[None]:
    """Processes that are started in this block wait by this policy."""
    before = os.environ.get(VARIABLE)
    if policy != "inherited":
        os.environ[VARIABLE] = policy
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before


def effective(policy: str) -> str:
    """What a policy comes to here; `unset` stands for libgomp's own: threads spin for a while, then sleep."""
    return os.environ.get(VARIABLE, "unset").lower() if policy == "inherited" else policy
