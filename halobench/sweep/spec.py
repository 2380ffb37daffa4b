"""What a sweep is to measure, as a user writes it: a TOML file or preset, and axes that replace its own.

A spec has a table `[run]` and any number of tables `[[attention]]` and `[[model]]`. Each of those is
a grid: every axis is a list, and all combinations are meant; the cases of several grids add up.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from halobench.attention.autotune import AUTOTUNE
from halobench.attention.problem import CHOICES
from halobench.case import LAYOUTS, MODES
from halobench.device import allocator, openmp
from halobench.errors import UnknownName, UsageError
from halobench.sweep import presets as folder_of_presets

WORKLOADS = ("attention", "model")
DIRECTIONS = {"attention": ("forward", "forward_backward"), "model": ("inference", "training")}
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


def _allocator(value: str) -> str:
    if value not in (known := allocator.states()):
        preloaded = "" if allocator.library() == "glibc" else f"; {allocator.library()} is preloaded"
        raise ValueError(f"must be one of {', '.join(known)}{preloaded}")
    return value


Size = Annotated[int, Field(ge=1)]
Halo = Annotated[int, Field(ge=0)]
Resolution = Annotated[str, BeforeValidator(str), AfterValidator(_resolution)]
Dtype = Annotated[str, _one_of(*CHOICES["dtype"])]
Layout = Annotated[str, _one_of(*LAYOUTS)]
Device = Annotated[str, _one_of("cpu", "cuda")]


def _axis(*default: Any) -> Any:
    return Field(default=list(default), min_length=1)


class Grid(BaseModel):
    """Axes that both workloads have; an empty `device`, `threads` or `allocator` is what the machine has."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    implementation: list[str] = _axis("all")
    batch: list[Size] = _axis(1)
    dtype: list[Dtype] = _axis("float32")
    device: list[Device] = []
    threads: list[Size] = []
    allocator: list[Annotated[str, AfterValidator(_allocator)]] = []


class AttentionGrid(Grid):
    """Axes of attention: `resolution` of the map, `dim` of queries and keys, `dim_v` as `dim` if empty."""

    resolution: list[Resolution] = Field(min_length=1)
    block: list[Size] = _axis(8)
    halo: list[Halo] = _axis(3)
    stride: list[Size] = _axis(1)
    heads: list[Size] = _axis(1)
    dim: list[Size] = _axis(16)
    dim_v: list[Size] = []
    direction: list[Annotated[str, _one_of(*DIRECTIONS["attention"])]] = _axis("forward")
    border: list[Annotated[str, _one_of(*CHOICES["border"])]] = _axis("mask")
    position: list[Annotated[str, _one_of(*CHOICES["position"])]] = _axis("none")
    offset: list[Annotated[str, _one_of(*CHOICES["offset"])]] = _axis("exact")
    scale: list[float] = []
    position_scale: list[float] = _axis(1.0)
    layout: list[Layout] = _axis("bhyxd")


class ModelGrid(Grid):
    """Axes of models: an empty `image_size` is each model's own."""

    model: list[str] = Field(min_length=1)
    image_size: list[Size] = []
    direction: list[Annotated[str, _one_of(*DIRECTIONS["model"])]] = _axis("inference")
    mode: list[Annotated[str, _one_of(*MODES)]] = _axis("eager")
    layout: list[Annotated[str, _one_of("nchw", "channels_last")]] = _axis("nchw")


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


def spec(content: Mapping[str, Any], axes: Mapping[str, list[str]], run: Mapping[str, Any]) -> Spec:
    """A checked spec, with axes and run settings replaced by those given.

    An axis replaces that of every table which has it; a workload whose directions are not among those
    given is dropped. UsageError says in one line what is wrong and what is allowed.
    """
    tables = {kind: _tables(kind, content.get(kind, [])) for kind in WORKLOADS}
    (settings,) = _tables("run", content.get("run", {}))
    replaced = {kind: [_replaced(kind, table, axes) for table in tables[kind]] for kind in WORKLOADS}
    _must_have_effect(axes, tables)
    kept = {
        kind: [table for table in replaced[kind] if "direction" not in axes or table["direction"]]
        for kind in WORKLOADS
    }
    try:
        return Spec.model_validate({**content, **kept, "run": {**settings, **run}})
    except ValidationError as error:
        raise UsageError(_one_line(error)) from None


def to_toml(spec: Spec) -> str:
    """Return the spec as a file that gives the same again; an empty axis is left out."""
    grids = {kind: [grid.model_dump() for grid in getattr(spec, kind)] for kind in WORKLOADS}
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


def _replaced(kind: str, table: dict[str, Any], axes: Mapping[str, list[str]]) -> dict[str, Any]:
    known = (AttentionGrid if kind == "attention" else ModelGrid).model_fields
    given = {name: list(values) for name, values in axes.items() if name in known}
    if "direction" in given:
        _must_be_directions(given["direction"])
        given["direction"] = [value for value in given["direction"] if value in DIRECTIONS[kind]]
    return {**table, **given}


def _must_be_directions(values: list[str]) -> None:
    every = [name for names in DIRECTIONS.values() for name in names]
    for value in values:
        if value not in every:
            raise UsageError(f"direction: {value!r} must be one of {', '.join(every)}")


def _must_have_effect(axes: Mapping[str, list[str]], tables: Mapping[str, list[Any]]) -> None:
    fields = {"attention": AttentionGrid.model_fields, "model": ModelGrid.model_fields}
    for name in axes:
        if not any(tables[kind] and name in fields[kind] for kind in WORKLOADS):
            kinds = [kind for kind in WORKLOADS if name in fields[kind]]
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
