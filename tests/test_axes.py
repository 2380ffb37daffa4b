"""The table of axes is whole: what is asked of a case is in the table, in ids and in words."""

import dataclasses

import pytest

from halobench import axes
from halobench.attention import Problem
from halobench.axes import AXES, FIELDS, OPTIONAL, SAID, WORKLOADS
from halobench.case import AttentionCase, ModelCase

CASES = {"attention": (Problem, AttentionCase), "model": (ModelCase,)}


def asked(*kinds):
    return {field.name for kind in kinds for field in dataclasses.fields(kind)} - {"problem"}


def given(workload):
    return {field for axis in axes.of(workload) for field in axis.fields}


@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_field_of_a_case_is_of_an_axis_and_in_its_id(workload):
    assert given(workload) == asked(*CASES[workload])
    assert set(axes.FIELD.findall(axes.IDS[workload])) == given(workload)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_what_an_id_may_leave_out_has_a_default(workload):
    defaults = {
        field.name
        for kind in CASES[workload]
        for field in dataclasses.fields(kind)
        if field.default is not dataclasses.MISSING
    }
    optional = {found[2] for found in OPTIONAL.finditer(axes.IDS[workload])}
    assert optional <= defaults | {"implementation"}  # which is missing where there is no attention inside


def test_every_axis_but_the_implementation_is_said_once():
    said = [field for fields in SAID.values() for field in fields]
    assert sorted(said) == sorted(set(FIELDS) - {"implementation"})


def test_a_default_is_allowed():
    for axis in AXES:
        for workload in axis.workloads:
            allowed = axis.allowed_in(workload)
            assert not allowed or set(axis.default_in(workload)) <= set(allowed), axis.name


def test_help_is_a_sentence():
    assert [axis.name for axis in AXES if not axis.help.endswith(".")] == []
