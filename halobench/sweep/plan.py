"""From a spec to the list of cases, and what is left out and why."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch

from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.attention.problem import Problem
from halobench.case import ORIGINAL, AttentionCase, Case, ModelCase
from halobench.device import allocator
from halobench.device.device import devices, usable
from halobench.errors import ImpossibleProblem, UsageError
from halobench.sweep.spec import RESOLUTION, AttentionGrid, Grid, ModelGrid, Spec

ALL = "all"


@dataclass(frozen=True)
class Plan:
    """The cases in the order they are measured, and combinations that mean nothing with the reason."""

    cases: list[Case]
    left_out: dict[str, int]  # reason -> how many


def plan(spec: Spec) -> Plan:
    """Every combination of every grid, each case once; UsageError where none of a workload is possible."""
    if not spec.attention and not spec.model:
        raise UsageError("nothing to measure: no grid of attention or of models is left")
    attention = _possible(make for table in spec.attention for make in _attention(table))
    models = _possible(make for table in spec.model for make in _models(table))
    cases = _side_by_side(attention.cases + models.cases)
    return Plan(cases, attention.left_out | models.left_out)


def _side_by_side(cases: list[Case]) -> list[Case]:
    """Cases of one problem follow each other; problems as they are first asked for."""
    alike: dict[Case, list[Case]] = {}
    for case in cases:
        alike.setdefault(dataclasses.replace(case, implementation=""), []).append(case)
    return [case for group in alike.values() for case in group]


def _possible(combinations: Iterable[Callable[[], Case]]) -> Plan:
    cases: dict[str, Case] = {}
    left_out: dict[str, int] = {}
    for make in combinations:
        try:
            case = make()
        except ImpossibleProblem as impossible:
            left_out[str(impossible)] = left_out.get(str(impossible), 0) + 1
            continue
        if cases.setdefault(case.id, case) != case:
            raise AssertionError(f"two different cases have the id {case.id}")
    if left_out and not cases:
        raise ImpossibleProblem(next(iter(left_out)))
    return Plan(list(cases.values()), left_out)


def _attention(table: AttentionGrid) -> Iterator[Callable[[], Case]]:
    """Implementations change fastest: those of one problem are measured side by side."""
    names = _implementations(table.implementation)
    axes: dict[str, list[Any]] = {
        "resolution": table.resolution, "block": table.block, "halo": table.halo, "stride": table.stride,
        "batch": table.batch, "heads": table.heads, "dim_qk": table.dim, "dim_v": table.dim_v or [None],
        "dtype": table.dtype, "border": table.border, "position": table.position, "offset": table.offset,
        "scale": table.scale or [None], "position_scale": table.position_scale,
    }  # fmt: skip
    places = product(_devices(table), _threads(table), _allocators(table), table.layout, table.direction)
    for values, place in product(list(product(*axes.values())), list(places)):
        for name in names:
            yield _attention_case(dict(zip(axes, values, strict=True)), place, name)


def _attention_case(
    axes: dict[str, Any], place: tuple[str, int, str, str, str], name: str
) -> Callable[[], Case]:
    device, threads, state, layout, direction = place

    def make() -> Case:
        height, width = RESOLUTION.fullmatch(axes["resolution"]).groups()  # type: ignore[union-attr]
        fields = {**axes, "dim_v": axes["dim_v"] or axes["dim_qk"]}
        del fields["resolution"]
        problem = Problem(**fields, height=int(height), width=int(width or height))
        return AttentionCase(
            implementation=name,
            direction=direction,
            problem=problem,
            layout=layout,
            device=device,
            threads=threads,
            allocator=state,
        )

    return make


def _models(table: ModelGrid) -> Iterator[Callable[[], Case]]:
    # Takes seconds, for timm: only where there are models.
    from halobench.models import zoo  # noqa: PLC0415  it imports timm, which takes seconds

    where = _devices(table), _threads(table), _allocators(table)
    places = list(product(*where, table.layout, table.mode, table.dtype))
    names = _implementations([name for name in table.implementation if name != ORIGINAL])
    names += [ORIGINAL] * (ORIGINAL in table.implementation)
    for model in map(zoo.find, table.model):
        sizes = table.image_size or [model.image_size]
        for size, batch, place, direction in product(sizes, table.batch, places, table.direction):
            for name in names if model.halo else [""]:
                yield _model_case((model.name, name, direction), size, batch, place)


def _model_case(
    what: tuple[str, str, str], size: int, batch: int, place: tuple[str, int, str, str, str, str]
) -> Callable[[], Case]:
    (model, implementation, direction), (device, threads, state, layout, mode, dtype) = what, place
    return lambda: ModelCase(
        model=model,
        implementation=implementation,
        direction=direction,
        image_size=size,
        batch=batch,
        dtype=dtype,
        mode=mode,
        layout=layout,
        device=device,
        threads=threads,
        allocator=state,
    )


def _implementations(names: list[str]) -> list[str]:
    """KeyError with the known names for an unknown one; of `all`, every one that can be imported."""
    if ALL in names:
        return list(IMPLEMENTATIONS)
    return [IMPLEMENTATIONS[name].name for name in names]


def _devices(table: Grid) -> list[str]:
    return [usable(device) for device in table.device] or [devices()[0]]


def _threads(table: Grid) -> list[int]:
    return table.threads or [torch.get_num_threads()]


def _allocators(table: Grid) -> list[str]:
    return table.allocator or [allocator.states()[0]]
