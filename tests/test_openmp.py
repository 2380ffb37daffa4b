import os

import pytest

from halobench import openmp


@pytest.mark.parametrize("before", [None, "ACTIVE"])
@pytest.mark.parametrize(
    ("policy", "inside"), [("passive", "passive"), ("active", "active"), ("inherited", None)]
)
def test_a_policy_holds_in_its_block_only(monkeypatch, before, policy, inside):
    monkeypatch.delenv(openmp.VARIABLE, raising=False)
    if before:
        monkeypatch.setenv(openmp.VARIABLE, before)
    with openmp.environment(policy):
        assert os.environ.get(openmp.VARIABLE) == (inside or before)
        assert openmp.effective("inherited") == (inside or before or "unset").lower()
    assert os.environ.get(openmp.VARIABLE) == before
