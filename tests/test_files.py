import os
from contextlib import suppress

import pytest

from halobench.errors import UsageError
from halobench.files import replaced, writable_folder


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "file.json"
    path.write_text("before")
    with replaced(path) as aside:
        aside.write_text("after")
        assert path.read_text() == "before"
        assert str(os.getpid()) in aside.name  # or two processes would write into one another's
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("file.json", "after")]


def test_what_fails_on_the_way_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "file.json"
    path.write_text("before")
    with suppress(RuntimeError), replaced(path) as aside:
        aside.write_text("aft")
        raise RuntimeError
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("file.json", "before")]


@pytest.mark.parametrize(("path", "new"), [("a_file", False), ("a_file/inside", False), ("there", True)])
def test_a_folder_that_cannot_be_made_is_bad_use(tmp_path, path, new):
    (tmp_path / "a_file").touch()
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match=path):
        writable_folder(tmp_path / path, new=new)
