"""What a sweep is to measure, as a user writes it: a TOML file or preset, and axes that replace its own.

A spec has a table `[run]` and any number of tables `[[attention]]` and `[[model]]`. Each of those is
a grid: every axis is a list, and all combinations are meant; the cases of several grids add up.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import tomli_w
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
)

from halobench import axes
from halobench.attention.autotune import AUTOTUNE
from halobench.device import allocator, openmp
from halobench.errors import UnknownName, UsageError
from halobench.sweep import presets as folder_of_presets

RESOLUTION = re.compile(r"([1-9]\d*)(?:x([1-9]\d*))?")


def _one_of(*allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return AfterValidator(check)


def _resolution(value: str) -> str:
    if not RESOLUTION.fullmatch(value):
        raise ValueError("must be the map's side or height x width, as 64 or 64x48")
    return value


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def sides(resolution: str) -> tuple[int, int]:
    """Return height and width of a map."""
    height, _, width = resolution.partition("x")
    return int(height), int(width or height)


def _allocator(value: str) -> str:
    if value not in (known := allocator.states()):
        preloaded = "" if allocator.library() == "glibc" else f"; {allocator.library()} is preloaded"
        raise ValueError(f"must be one of {', '.join(known)}{preloaded}")
    return value


SPECIAL: dict[str, Any] = {
    "resolution": Annotated[str, BeforeValidator(str), AfterValidator(_resolution)],
    "allocator": Annotated[str, AfterValidator(_allocator)],
}


class Grid(BaseModel):
    """A list of values for each axis of a workload; an empty one is up to the machine or to other axes."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    def values(self, axis: str) -> list[Any]:
        """Return the values of an axis by its name."""
        found: list[Any] = getattr(self, axis)
        return found


def _grid(name: str, workload: str) -> type[Grid]:
    fields: dict[str, Any] = {}
    for axis in axes.of(workload):
        default = axis.default_in(workload)
        least = int(axis.required or bool(default))
        given = Field(min_length=least) if axis.required else Field(default=list(default), min_length=least)
        fields[axis.name] = (GenericAlias(list, (_kind(axis, workload),)), given)
    return create_model(name, __base__=Grid, __doc__=f"A grid of {workload} cases.", **fields)


def _kind(axis: axes.Axis, workload: str) -> Any:
    """Return the type of one value, as pydantic checks it."""
    if axis.name in SPECIAL:
        return SPECIAL[axis.name]
    if axis.kind is int:
        return Annotated[int, Field(ge=axis.least), BeforeValidator(_no_truth)]
    if axis.kind is float:
        return Annotated[float, BeforeValidator(_no_truth)]
    allowed = axis.allowed_in(workload)
    return Annotated[str, _one_of(*allowed)] if allowed else axis.kind


if TYPE_CHECKING:
    AttentionGrid: TypeAlias = Grid
    ModelGrid: TypeAlias = Grid
else:
    AttentionGrid, ModelGrid = _grid("AttentionGrid", "attention"), _grid("ModelGrid", "model")
GRIDS: dict[str, type[Grid]] = {"attention": AttentionGrid, "model": ModelGrid}


class RunSettings(BaseModel):
    """How to measure: `seconds` of samples a case, `timeout` for all of it, and so many `replicates`.

    `autotune`: `try` kernels' configurations before samples are taken, use those `known` to be fastest on
    this machine, or `off`: their defaults, the same everywhere. `wait_policy`: how threads wait for each
    other, `bounded`, `passive`, `active`, or as `inherited` from the environment.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    seconds: float = Field(default=0.3, gt=0)
    timeout: float = Field(default=120.0, gt=0, le=1e6)
    replicates: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**63)
    autotune: Annotated[str, _one_of(*AUTOTUNE)] = "try"
    wait_policy: Annotated[str, _one_of(*openmp.POLICIES, openmp.INHERITED)] = openmp.DEFAULT


class Spec(BaseModel):
    """A whole spec file."""

    model_config = ConfigDict(extra="forbid")

    run: RunSettings = RunSettings()
    attention: list[AttentionGrid] = []
    model: list[ModelGrid] = []


def presets() -> dict[str, str]:
    """Return the first line of each preset, by its name."""
    lines = {file.stem: file.read_text(encoding="utf-8").partition("\n")[0] for file in _preset_files()}
    return {name: line.removeprefix("# ") for name, line in sorted(lines.items())}


def preset(name: str) -> dict[str, Any]:
    """The content of a preset; UnknownName with the known names."""
    for file in _preset_files():
        if file.stem == name:
            return from_file(file)
    raise UnknownName(f"no preset {name!r}; there are: {', '.join(presets())}")


def _preset_files() -> list[Path]:
    return [file for folder in folder_of_presets.__path__ for file in Path(folder).glob("*.toml")]


def from_file(path: Path) -> dict[str, Any]:
    """The content of a spec file; UsageError where there is none, or it is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"no spec file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from None


def spec(content: Mapping[str, Any], given: Mapping[str, list[str]], run: Mapping[str, Any]) -> Spec:
    """A checked spec, with axes and run settings replaced by those given.

    An axis replaces that of every table which has it; a workload whose directions are not among those
    given is dropped. UsageError says in one line what is wrong and what is allowed.
    """
    tables = {kind: _tables(kind, content.get(kind, [])) for kind in axes.WORKLOADS}
    (settings,) = _tables("run", content.get("run", {}))
    replaced = {kind: [_replaced(kind, table, given) for table in tables[kind]] for kind in axes.WORKLOADS}
    _must_have_effect(given, tables)
    kept = {
        kind: [table for table in replaced[kind] if "direction" not in given or table["direction"]]
        for kind in axes.WORKLOADS
    }
    try:
        return Spec.model_validate({**content, **kept, "run": {**settings, **run}})
    except ValidationError as error:
        raise UsageError(_one_line(error)) from None


def to_toml(spec: Spec) -> str:
    """Return the spec as a file that gives the same again; an empty axis is left out."""
    grids = {kind: [grid.model_dump() for grid in getattr(spec, kind)] for kind in axes.WORKLOADS}
    known = {
        kind: [{name: values for name, values in grid.items() if values != []} for grid in found]
        for kind, found in grids.items()
        if found
    }
    return tomli_w.dumps({"run": spec.run.model_dump(), **known})


def _tables(name: str, content: Any) -> list[dict[str, Any]]:
    """A single `[attention]` is a list of one; of `[run]` there is only one."""
    tables = content if isinstance(content, list) and name != "run" else [content]
    if not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{name}: {content!r} must be a table")
    return tables


def _replaced(kind: str, table: dict[str, Any], given: Mapping[str, list[str]]) -> dict[str, Any]:
    own = {axis.name: list(given[axis.name]) for axis in axes.of(kind) if axis.name in given}
    if "direction" in own:
        _must_be_directions(own["direction"])
        allowed = axes.BY_NAME["direction"].allowed_in(kind)
        own["direction"] = [value for value in own["direction"] if value in allowed]
    return {**table, **own}


def _must_be_directions(values: list[str]) -> None:
    every = [name for kind in axes.WORKLOADS for name in axes.BY_NAME["direction"].allowed_in(kind)]
    for value in values:
        if value not in every:
            raise UsageError(f"direction: {value!r} must be one of {', '.join(every)}")


def _must_have_effect(given: Mapping[str, list[str]], tables: Mapping[str, list[Any]]) -> None:
    for name in given:
        kinds = axes.BY_NAME[name].workloads
        if not any(tables[kind] for kind in kinds):
            raise UsageError(
                f"{name} is an axis of {' and '.join(kinds)}, and there is none of that to measure"
            )


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
    if first["type"] == "extra_forbidden":
        return f"{where}: there is no such axis or setting"
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    given = "" if first["type"] == "missing" else f"{first['input']!r} "
    return f"{where}: {given}{message}"
