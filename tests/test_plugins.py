import importlib
import sys
from importlib.metadata import EntryPoint

import pytest

from halobench import plugins
from halobench.attention import ATTENTIONS, GROUP


@pytest.fixture
def folder(tmp_path, request, monkeypatch):
    """A package of plug-ins with an entry point of the group `test`, as other distributions have it."""
    folder = tmp_path / request.node.name
    folder.mkdir()
    (folder / "__init__.py").write_text("seen = []")
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint(name="any", value=folder.name, group="test")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry] if group == "test" else [])
    return folder


def test_private_files_are_not_plugins(folder):
    (folder / "one.py").write_text("from . import seen; seen.append(1)")
    (folder / "_helper.py").write_text("from . import seen; seen.append(2)")
    assert plugins.load_all("test") == {}
    assert sys.modules[folder.name].seen == [1]


def test_one_plugin_is_loaded_without_the_others(folder):
    (folder / "one.py").write_text("from . import seen; seen.append(1)")
    (folder / "two.py").write_text("from . import seen; seen.append(2)")
    plugins.load_one("test", "two")
    assert importlib.import_module(folder.name).seen == [2]


def test_a_missing_dependency_leaves_one_file_out(folder):
    (folder / "one.py").write_text("import no_such_package.inside")
    assert plugins.load_all("test") == {"one": "needs no_such_package"}


def test_a_misspelt_import_of_ours_is_an_error(folder):
    (folder / "one.py").write_text("import halobench.atention")
    with pytest.raises(ModuleNotFoundError, match="atention"):
        plugins.load_all("test")


def test_an_entry_point_may_name_a_single_module(folder, monkeypatch):
    (folder / "one.py").write_text("from . import seen; seen.append(1)")
    entry = EntryPoint(name="mine", value=f"{folder.name}.one", group="test")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry])
    plugins.load_one("test", "mine")
    assert sys.modules[folder.name].seen == [1]


def test_files_and_registrations_have_the_same_names():
    names = {module.rpartition(".")[2] for module in plugins.modules(GROUP)}
    assert set(ATTENTIONS) == names - set(plugins.load_all(GROUP))
