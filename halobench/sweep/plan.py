"""From a spec to the list of cases, and what is left out and why."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch

from halobench import axes
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.case import ORIGINAL, Case, case_of
from halobench.device import allocator
from halobench.device.device import devices, usable
from halobench.errors import ImpossibleProblem, UsageError
from halobench.sweep.spec import Grid, Spec, sides

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


def _attention(grid: Grid) -> Iterator[Callable[[], Case]]:
    """Implementations change fastest: those of one problem are measured side by side."""
    for values in _combinations(
        grid, "attention", implementation=_implementations(grid.values("implementation"))
    ):
        yield partial(_attention_case, **values)


def _attention_case(*, resolution: str, dim: int, dim_v: int | None, **fields: Any) -> Case:
    height, width = sides(resolution)
    sizes = {"height": height, "width": width, "dim_qk": dim, "dim_v": dim_v or dim}
    return case_of(fields | sizes)


def _models(grid: Grid) -> Iterator[Callable[[], Case]]:
    # Takes seconds, for timm: only where there are models.
    from halobench.models import zoo  # noqa: PLC0415  it imports timm, which takes seconds

    asked = grid.values("implementation")
    names = _implementations([name for name in asked if name != ORIGINAL])
    names += [ORIGINAL] * (ORIGINAL in asked)
    for model in map(zoo.find, grid.values("model")):
        own = {"model": [model.name], "implementation": names if model.halo else [""]}
        sizes = grid.values("image_size") or [model.image_size]
        for values in _combinations(grid, "model", image_size=sizes, **own):
            yield partial(case_of, values)


def _combinations(grid: Grid, workload: str, **chosen: list[Any]) -> Iterator[dict[str, Any]]:
    """Every combination of values, chosen ones and else the grid's own; the last axis changes fastest."""
    chosen |= {
        "device": [usable(device) for device in grid.values("device")] or [devices()[0]],
        "threads": grid.values("threads") or [torch.get_num_threads()],
        "allocator": grid.values("allocator") or [allocator.states()[0]],
    }
    lists = {
        axis.name: chosen.get(axis.name) or grid.values(axis.name) or [None] for axis in axes.of(workload)
    }
    for values in product(*lists.values()):
        yield dict(zip(lists, values, strict=True))


def _implementations(names: list[str]) -> list[str]:
    """Return the names, of `all` every one that can be imported; UnknownName for an unknown one."""
    return list(IMPLEMENTATIONS) if ALL in names else [IMPLEMENTATIONS[name].name for name in names]
