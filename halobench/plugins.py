"""Find plug-ins by entry point and import them: importing a file runs its registration.

An entry point of the group names a module, or a package of which every file but `_private`
ones is a plug-in. Ours are declared the same way as anybody's.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points


def load_all(group: str) -> dict[str, str]:
    """Import every plug-in of the group; return the names of those left out, and why."""
    left_out = {}
    for name, module in _plugins(group):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as missing:
            left_out[name] = _reason(missing)
    return left_out


def modules(group: str) -> list[str]:
    """The modules of every plug-in of the group, importable or not."""
    return [module for _, module in _plugins(group)]


def load_one(group: str, name: str) -> None:
    """Import the plug-in of this name, if there is one; it may need what is not installed."""
    for known, module in _plugins(group):
        if known == name:
            importlib.import_module(module)


def _plugins(group: str) -> Iterator[tuple[str, str]]:
    """Names and modules; a package stands for its files, whose names are the names of what they register."""
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        spec = _spec(entry.value)
        if spec is None or spec.submodule_search_locations is None:
            yield entry.name, entry.value
            continue
        for info in pkgutil.iter_modules(spec.submodule_search_locations):
            if not info.name.startswith("_"):
                yield info.name, f"{entry.value}.{info.name}"


def _spec(module: str) -> ModuleSpec | None:
    """None where a package above the module is missing: importing it will say so."""
    try:
        return importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None


def _reason(missing: ModuleNotFoundError) -> str:
    """Only a foreign package may be missing; a misspelt import of ours stays an error."""
    if missing.name is None or missing.name.startswith("halobench"):
        raise missing
    return f"needs {missing.name.partition('.')[0]}"
