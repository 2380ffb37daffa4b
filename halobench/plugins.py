"""Find plug-ins by entry point and import them: importing a file runs its registration.

An entry point of the group names a module, or a package of which every file but `_private`
ones is a plug-in. Ours are declared the same way as anybody's.

A plug-in of another distribution is tried in a process of its own before it is imported here: at import it
may raise, exit, hang, or print without end, and none of that may stop what was asked of others.

A single file can be a plug-in of implementations too (`--plugin FILE.py`): the environment names these, so
that every process of a command finds them.
"""

import hashlib
import importlib
import importlib.util
import json
import os
import pkgutil
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from halobench.errors import UsageError

OURS = "halobench"  # our distribution, and what names of its packages begin with
FILES = "HALOBENCH_PLUGINS"  # of the environment: files that are plug-ins, as PATH has folders
FILE_GROUP = "halobench.kernels"  # what they plug in
TRIAL_S = 30.0  # that an import may take
SAID_BYTES = 2**20  # that it may print


@dataclass(frozen=True)
class Plugin:
    """A name, and the module whose import registers whatever it registers."""

    name: str
    module: str
    ours: bool


@dataclass(frozen=True)
class Trial:
    """What an import did in another process: the implementations there were afterwards, or what failed."""

    names: tuple[str, ...] = ()
    failure: str = ""


class LeftOutError(UsageError, ValueError):
    """A plug-in that was asked for cannot be imported; the message names it and says why."""


def add_files(files: Iterable[Path]) -> None:
    """Make files plug-ins of this process and of all that it starts; UsageError for what cannot be one."""
    known = {_module(path): path for path in file_plugins()}
    for file in files:
        path = file.resolve()
        if not path.is_file():
            raise UsageError(f"plugin: there is no file {file}")
        if os.pathsep in str(path):
            raise UsageError(f"plugin: {file} cannot be one, its path has a {os.pathsep!r}")
        if (other := known.setdefault(_module(path), path)) != path:
            raise UsageError(f"plugin: {file} and {other} have one name")
    os.environ[FILES] = os.pathsep.join(map(str, known.values()))


def file_plugins() -> list[Path]:
    """Return the files that are plug-ins."""
    return [Path(path) for path in os.environ.get(FILES, "").split(os.pathsep) if path]


def digests() -> dict[str, str]:
    """Return the SHA-256 of each file that is a plug-in, by its path."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in file_plugins()}


def distributions(groups: Iterable[str]) -> dict[str, str]:
    """Return the versions of the other distributions that plug into these groups."""
    entries = [entry for group in groups for entry in entry_points(group=group)]
    found = {entry.dist.name: entry.dist.version for entry in entries if entry.dist is not None}
    return {name: version for name, version in sorted(found.items()) if name != OURS}


class _Finder(MetaPathFinder):
    """Finds a file that is a plug-in by the name that its module has here."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        for file in file_plugins():
            if _module(file) == fullname:
                return importlib.util.spec_from_file_location(fullname, file)
        return None


def _module(file: Path) -> str:
    return f"{OURS}_plugin_{re.sub(r'[^0-9A-Za-z_]', '_', file.stem)}"


sys.meta_path.append(_Finder())


def load_all(group: str, besides: Container[str] = ()) -> dict[str, str]:
    """Import every plug-in of the group but those `besides`; return the names of those left out, and why."""
    left_out = {}
    for plugin in _plugins(group):
        if plugin.name not in besides and (reason := _load(plugin)):
            left_out[plugin.name] = reason
    return left_out


def load_one(group: str, name: str) -> None:
    """Import the plug-in of this name, if there is one; LeftOutError where that is not possible."""
    for plugin in _plugins(group):
        if plugin.name == name and (reason := _load(plugin)):
            raise LeftOutError(f"{name} is left out: {reason}")


def load_until(group: str, name: str, registered: Container[str]) -> None:
    """Import the plug-in that registers a name which no plug-in bears, and none of the others."""
    for plugin in _plugins(group):
        if name in registered:
            return
        if not plugin.ours and name in _tried(plugin.module).names:
            _load(plugin)


def names(group: str) -> list[str]:
    """The names of every plug-in of the group, importable or not."""
    return [plugin.name for plugin in _plugins(group)]


def modules(group: str, *, ours: bool = False) -> list[str]:
    """The modules of every plug-in of the group, importable or not; or of our own only."""
    return [plugin.module for plugin in _plugins(group) if plugin.ours or not ours]


def _load(plugin: Plugin) -> str:
    """Import it; why that is not possible, or nothing."""
    if plugin.module in sys.modules:
        return ""
    if not plugin.ours and (failure := _tried(plugin.module).failure):
        return failure
    try:
        importlib.import_module(plugin.module)
    except Exception as error:
        if plugin.ours and not _anothers(error):
            raise
        return why(error)
    return ""


def why(error: BaseException) -> str:
    """What an import failed for, in a line."""
    if isinstance(error, ModuleNotFoundError) and error.name and _anothers(error):
        return f"needs {error.name.partition('.')[0]}"
    return told(error)


def told(error: BaseException) -> str:
    """An exception in a line."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _anothers(error: BaseException) -> bool:
    """Whether a package that is not ours is missing or broken; a misspelt import of ours is a bug."""
    if isinstance(error, ModuleNotFoundError):
        return error.name is not None and not error.name.startswith(OURS)
    return isinstance(error, OSError)


def _tried(module: str) -> Trial:
    """Import a module in a new process, and see what comes of it."""
    with tempfile.TemporaryDirectory(prefix="halobench-") as folder:
        result, said = Path(folder, "trial.json"), Path(folder, "said")
        with said.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "halobench.plugin_trial", module, str(result)],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip
        try:
            failure = _watched(process, said)
        finally:
            _end(process)
        if failure:
            return Trial(failure=failure)
        if not result.exists():
            return Trial(failure=f"ended with exit code {process.returncode} at import")
        found = json.loads(result.read_text(encoding="utf-8"))
    return Trial(tuple(found["names"]), found["failure"])


def _watched(process: "subprocess.Popen[bytes]", said: Path) -> str:
    """Wait for a process to end; what it did too much of, or nothing."""
    end = monotonic() + TRIAL_S
    while monotonic() < end:
        if process.poll() is not None:
            return ""
        if said.stat().st_size > SAID_BYTES:
            return f"prints more than {SAID_BYTES // 2**20} MiB at import"
        sleep(0.02)
    return f"is not imported after {TRIAL_S:g} s"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process and all it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _plugins(group: str) -> Iterator[Plugin]:
    """Ours first. A package stands for its files, whose names are the names of what they register."""
    found = [plugin for entry in entry_points(group=group) for plugin in _of(entry)]
    if group == FILE_GROUP:
        found += [Plugin(file.stem, _module(file), ours=False) for file in file_plugins()]
    yield from sorted(found, key=lambda plugin: (not plugin.ours, plugin.name))


def _of(entry: EntryPoint) -> Iterator[Plugin]:
    ours = entry.dist is not None and entry.dist.name == OURS
    spec = _spec(entry.value)
    if spec is None or spec.submodule_search_locations is None:
        yield Plugin(entry.name, entry.value, ours)
        return
    for info in pkgutil.iter_modules(spec.submodule_search_locations):
        if not info.name.startswith("_"):
            yield Plugin(info.name, f"{entry.value}.{info.name}", ours)


def _spec(module: str) -> ModuleSpec | None:
    """Return the spec of a module without importing the packages it lies in; None where one is missing."""
    first, *parts = module.split(".")
    spec = importlib.util.find_spec(first)
    for part in parts:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
    return spec
