"""How threads of a parallel region wait for each other: the environment decides it when torch is loaded.

A thread that waits spins, and after a while sleeps. On a machine that does nothing else, spinning is up to
twice as fast on small problems; beside another busy process a thread may spin for the whole time that the one
it waits for is put aside (`tests/bench/wait_policy.py` measures both).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
POLICIES: dict[str, dict[str, str]] = {  # what the environment says
    "bounded": {"GOMP_SPINCOUNT": "1000"},  # a few microseconds
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "active": {"OMP_WAIT_POLICY": "active"},
}
INHERITED = "inherited"  # whatever the user's environment says
DEFAULT = "bounded"


@contextmanager
def environment(policy: str) -> Iterator[None]:
    """Processes that are started in this block wait by this policy."""
    before = _said()
    if policy != INHERITED:
        _say(POLICIES[policy])
    try:
        yield
    finally:
        _say(before)


def effective(policy: str) -> str:
    """What a policy comes to here: its name, or the user's variables; `unset` stands for libgomp's own."""
    if policy != INHERITED:
        return policy
    return " ".join(f"{name}={value}" for name, value in _said().items()) or "unset"


def _said() -> dict[str, str]:
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


def _say(variables: dict[str, str]) -> None:
    for name in VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(variables)
