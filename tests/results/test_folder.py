from pathlib import Path

import pytest

from halobench.errors import UsageError
from halobench.results.folder import must_be_alike, read_environment, run_names, write_environment

HERE = {"cpu": "one", "cores": 2, "commit": "abc", "packages": {"torch": "2.14"}}


def test_runs_of_two_commits_may_be_joined():
    must_be_alike({"a": HERE, "b": HERE | {"commit": "def"}})


def test_runs_of_two_processors_may_not():
    with pytest.raises(UsageError, match="a and b cannot be joined: cpu was one, now other"):
        must_be_alike({"a": HERE, "b": HERE | {"cpu": "other"}})


def test_an_environment_is_read_as_it_was_written(tmp_path):
    write_environment(tmp_path, HERE)
    assert read_environment(tmp_path) == HERE


@pytest.mark.parametrize("text", [None, "{"], ids=["missing", "damaged"])
def test_a_folder_without_an_environment_is_bad_use(tmp_path, text):
    if text is not None:
        (tmp_path / "environment.json").write_text(text)
    with pytest.raises(UsageError, match=r"environment\.json cannot be read"):
        read_environment(tmp_path)


def test_runs_are_named_by_as_little_as_tells_them_apart():
    assert list(run_names([Path("/x/a"), Path("/y/b")])) == ["a", "b"]
    assert list(run_names([Path("/x/a/run"), Path("/x/b/run")])) == ["a/run", "b/run"]
    assert list(run_names([Path("/x/run"), Path("/x/run")])) == ["run"]
