import importlib
import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from halobench import plugins
from halobench.attention.implementation import GROUP, IMPLEMENTATIONS


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


def test_a_misspelt_import_of_ours_is_an_error_in_our_own_plugins(folder, monkeypatch):
    (folder / "one.py").write_text("import halobench.atention")
    reason = "ModuleNotFoundError: No module named 'halobench.atention'"
    assert plugins.load_all("test") == {"one": reason}
    entry = EntryPoint(name="any", value=folder.name, group="test")._for(SimpleNamespace(name="halobench"))
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry])
    with pytest.raises(ModuleNotFoundError, match="atention"):
        plugins.load_all("test")


def test_an_entry_point_may_name_a_single_module(folder, monkeypatch):
    (folder / "one.py").write_text("from . import seen; seen.append(1)")
    entry = EntryPoint(name="mine", value=f"{folder.name}.one", group="test")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry])
    plugins.load_one("test", "mine")
    assert sys.modules[folder.name].seen == [1]


BROKEN = {
    "raise OSError('x.so: undefined symbol: f')": "OSError: x.so: undefined symbol: f",
    "raise SystemExit(3)": "SystemExit: 3",
    "import os; os._exit(4)": "ended with exit code 4 at import",
    "import os; os.abort()": "ended with exit code -6 at import",
    "while True: print('x' * 10_000)": "prints more than 1 MiB at import",
    "import time; time.sleep(600)": "is not imported after 3 s",
}


@pytest.mark.slow
@pytest.mark.parametrize("body", BROKEN, ids=["raises", "exits", "leaves", "aborts", "prints", "hangs"])
def test_a_plugin_that_breaks_at_import_is_left_out_with_the_reason(folder, body, monkeypatch):
    monkeypatch.setattr(plugins, "TRIAL_S", 3)
    (folder / "broken.py").write_text(body)
    (folder / "sound.py").write_text("from . import seen; seen.append(1)")
    assert plugins.load_all("test") == {"broken": BROKEN[body]}
    assert sys.modules[folder.name].seen == [1]
    with pytest.raises(plugins.LeftOutError, match=f"broken is left out: {BROKEN[body]}"):
        plugins.load_one("test", "broken")


@pytest.mark.slow
def test_a_plugin_whose_thread_never_ends_is_imported(folder):
    (folder / "one.py").write_text(
        "import threading, time; threading.Thread(target=time.sleep, args=[9]).start()"
    )
    assert plugins._tried(f"{folder.name}.one") == plugins.Trial(tuple(plugins._tried("this").names))


@pytest.mark.slow
def test_a_name_that_no_plugin_bears_is_looked_for_without_an_import_of_the_others(folder):
    register = "from halobench.attention import attention\nfrom . import seen\nseen.append({0!r})\n"
    for file, names in {"first": ["a"], "second": ["b", "c"], "third": ["d"]}.items():
        lines = [f"attention({name!r})(lambda *given: None)" for name in names]
        (folder / f"{file}.py").write_text("\n".join([register.format(file), *lines]))
    registered = set()
    plugins.load_until("test", "c", registered)
    assert importlib.import_module(folder.name).seen == ["second"]
    for name in ("b", "c"):
        assert IMPLEMENTATIONS[name].module == f"{folder.name}.second"
        IMPLEMENTATIONS.remove(name)


def test_files_and_registrations_have_the_same_names():
    names = {module.rpartition(".")[2] for module in plugins.modules(GROUP)}
    assert set(IMPLEMENTATIONS) == names - set(IMPLEMENTATIONS.unavailable)
