"""A ptxas that miscompiles is replaced by one at hand that does not."""

import os

import pytest

from halobench.device import ptxas

BAD, GOOD, NEWER = "12.8", "12.9", "13.0"


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """The path of a ptxas that says it is of this release."""
    monkeypatch.delenv(ptxas.VARIABLE, raising=False)

    def make(release):
        path = tmp_path / f"ptxas-{release}"
        path.write_text(f"#!/bin/sh\necho 'Cuda compilation tools, release {release}, V{release}.93'\n")
        path.chmod(0o755)
        return str(path)

    return make


def told(monkeypatch, path):
    monkeypatch.setenv(ptxas.VARIABLE, path)


def test_one_that_is_right_stays(tool, monkeypatch):
    assert ptxas.choose(tool(GOOD), [tool(NEWER)]) == GOOD
    assert ptxas.VARIABLE not in os.environ


def test_one_that_miscompiles_is_replaced_by_the_first_that_does_not(tool, monkeypatch):
    told(monkeypatch, "")  # so that it is put back afterwards
    others = ["/no/such/ptxas", tool(BAD), tool(NEWER), tool(GOOD)]
    assert ptxas.choose(tool(BAD), others) == NEWER
    assert os.environ[ptxas.VARIABLE] == tool(NEWER)


def test_where_there_is_no_other_it_is_said(tool):
    with pytest.warns(UserWarning, match=f"ptxas {BAD} miscompiles .*{ptxas.VARIABLE}"):
        assert ptxas.choose(tool(BAD), ["/no/such/ptxas"]) == BAD


def test_what_the_user_has_set_stays_and_is_said(tool, monkeypatch):
    told(monkeypatch, tool(BAD))
    with pytest.warns(UserWarning, match="miscompiles"):
        assert ptxas.choose(tool(GOOD), [tool(NEWER)]) == BAD
    assert os.environ[ptxas.VARIABLE] == tool(BAD)


def test_what_the_user_has_set_wrongly_is_not_used_by_triton_either(tool, monkeypatch):
    told(monkeypatch, "/no/such/ptxas")
    assert ptxas.choose(tool(GOOD), []) == GOOD


def test_the_one_in_tritons_wheel_is_found():
    assert ptxas.release(ptxas.bundled())
    assert ptxas.chosen() not in ("", *ptxas.MISCOMPILES)
