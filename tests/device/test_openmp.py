import os

import pytest

from halobench.device import openmp


@pytest.mark.parametrize("before", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}])
@pytest.mark.parametrize("policy", [*openmp.POLICIES, openmp.INHERITED])
def test_a_policy_holds_in_its_block_only(monkeypatch, before, policy):
    def said():
        return {name: os.environ[name] for name in openmp.VARIABLES if name in os.environ}

    for name in openmp.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    with openmp.environment(policy):
        assert said() == openmp.POLICIES.get(policy, before)
    assert said() == before


def test_what_is_inherited_is_said(monkeypatch):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert openmp.effective("inherited") == "unset"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert openmp.effective("inherited") == "OMP_WAIT_POLICY=ACTIVE"
    assert openmp.effective("bounded") == "bounded"
