import os

import pytest

from halobench.measure import compile_cache


@pytest.fixture(autouse=True)
def variable(monkeypatch):
    monkeypatch.setenv(compile_cache.VARIABLE, "before")


def written(folder, name, *, keep):
    """What a case finds in its cache; it adds a file."""
    with compile_cache.own(folder) as kept:
        cache = os.environ[compile_cache.VARIABLE]
        found = sorted(os.listdir(cache))
        with open(f"{cache}/{name}", "w") as file:
            file.write(name)
        if keep:
            kept()
    return found, cache


def test_what_a_case_compiled_is_there_for_the_next_where_it_ended_well(tmp_path):
    assert written(tmp_path, "one", keep=True)[0] == []
    assert written(tmp_path, "half a library", keep=False)[0] == ["one"]
    assert written(tmp_path, "two", keep=True)[0] == ["one"]
    assert written(tmp_path, "three", keep=True)[0] == ["one", "two"]


def test_the_cache_has_one_path(tmp_path):
    assert written(tmp_path, "one", keep=True)[1] == written(tmp_path, "two", keep=True)[1]


def test_without_a_folder_it_stays_the_users():
    with compile_cache.own(None) as keep:
        assert os.environ[compile_cache.VARIABLE] == "before"
        keep()
