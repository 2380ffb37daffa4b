from types import SimpleNamespace

import conftest
import pytest
import torch


def illegal_access():
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


@pytest.fixture
def item(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    marked = {"gpu": True}
    return SimpleNamespace(nodeid="tests/test_gpu.py::one", get_closest_marker=marked.get)


def test_a_test_that_spoils_the_device_ends_its_process_and_is_named(item, monkeypatch):
    monkeypatch.setattr(torch.cuda, "synchronize", illegal_access)
    told = "test_gpu.py::one spoilt CUDA, start again behind it: CUDA error: an illegal"
    with pytest.raises(pytest.exit.Exception, match=told) as ended:
        conftest.pytest_runtest_teardown(item)
    assert ended.value.returncode == 3


def test_of_several_processes_it_ends_one(item, monkeypatch):
    ended = []
    monkeypatch.setattr(torch.cuda, "synchronize", illegal_access)
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    monkeypatch.setattr(conftest.os, "_exit", ended.append)
    with pytest.raises(pytest.exit.Exception):  # the process would be gone
        conftest.pytest_runtest_teardown(item)
    assert ended == [1]


def test_a_device_that_works_goes_on(item, monkeypatch):
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    conftest.pytest_runtest_teardown(item)
