"""A run's folder beside its database: where the run was made, and whether two runs compare."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from halobench.errors import UsageError
from halobench.results.environment import differences

ENVIRONMENT = "environment.json"


def write_environment(folder: Path, environment: Mapping[str, Any]) -> None:
    """Write where a run is made, as `environment.environment` tells it."""
    (folder / ENVIRONMENT).write_text(json.dumps(environment, indent=2), encoding="utf-8")


def read_environment(folder: Path) -> dict[str, Any]:
    """Return what `write_environment` wrote; UsageError where it is missing or damaged."""
    try:
        found: dict[str, Any] = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder / ENVIRONMENT} cannot be read: {error}") from None
    return found


def run_names(folders: Iterable[Path]) -> dict[str, Path]:
    """Return the folders of runs by names that tell them apart: the last parts of their paths."""
    paths = list(dict.fromkeys(folder.resolve() for folder in folders))
    for count in range(1, max((len(path.parts) for path in paths), default=1) + 1):
        named = {"/".join(path.parts[-count:]): path for path in paths}
        if len(named) == len(paths):
            break
    return named


def must_be_alike(environments: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise UsageError where runs were made on different machines or packages: their times do not compare."""
    (first, known), *others = environments.items()
    for folder, found in others:
        if differs := [line for line in differences(known, found) if not line.startswith("commit ")]:
            raise UsageError(f"{first} and {folder} cannot be joined: {'; '.join(differs)}")


def incomparable(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What keeps times from comparing: not the commit, nor our own version, which are what is compared."""
    packages = [dict(found.get("packages") or {}) for found in (before, after)]
    names = [name for name in packages[0] | packages[1] if name != "halobench"]
    unlike = [name for name in names if packages[0].get(name) != packages[1].get(name)]
    alike = [
        found | {"commit": "", "packages": {name: known.get(name) for name in unlike}}
        for found, known in zip((before, after), packages, strict=True)
    ]
    return differences(*alike)
