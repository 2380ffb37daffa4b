from itertools import groupby

import pytest
import torch

from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.device.device import devices
from halobench.errors import UnknownName, UsageError
from halobench.sweep import spec
from halobench.sweep.plan import plan

TWO = ["haloed_blocked", "naive_global"]


def of_attention(*grids, **axes):
    """The plan of some grids; of one, if its axes are given instead."""
    tables = [{"implementation": TWO, "resolution": [16]} | grid for grid in grids or [axes]]
    return plan(spec.spec({"attention": tables}, {}, {}))


def of_models(*models, **axes):
    return plan(spec.spec({"model": {"model": list(models)} | axes}, {}, {}))


def test_all_combinations_are_meant():
    cases = of_attention(resolution=[8, 16], block=[2, 4], batch=[1, 2, 3], border=["mask", "zero"]).cases
    assert len({case.id for case in cases}) == len(cases) == 2 * 2 * 3 * 2 * len(TWO)


def test_a_case_of_several_grids_is_measured_once():
    planned = of_attention({"resolution": [8, 16]}, {"resolution": [16, 32]})
    assert [case.problem.height for case in planned.cases] == [8, 8, 16, 16, 32, 32]


def test_implementations_of_a_problem_stand_side_by_side():
    cases = of_attention(resolution=[8, 16], direction=["forward", "forward_backward"], threads=[1, 2]).cases
    runs = [
        [case.implementation for case in alike]
        for _, alike in groupby(cases, lambda case: (case.problem, case.direction, case.threads))
    ]
    assert runs == [TWO] * 8


def test_implementations_of_several_grids_stand_side_by_side_too():
    cases = of_attention(
        {"resolution": [8, 16]}, {"resolution": [8], "implementation": ["sdpa_blocked"]}
    ).cases
    assert [case.problem.height for case in cases] == [8, 8, 8, 16, 16]


def test_what_is_impossible_is_left_out_and_counted():
    planned = of_attention(block=[7, 8], stride=[1, 2, 4])
    assert {(case.problem.block, case.problem.stride) for case in planned.cases} == {
        (7, 1),
        (8, 1),
        (8, 2),
        (8, 4),
    }
    assert planned.left_out == {f"stride {stride} does not divide block 7": len(TWO) for stride in (2, 4)}


def test_the_least_sizes_of_a_problem_are_kept():
    (case,) = of_attention(implementation=TWO[:1], resolution=[1], block=[1], halo=[0]).cases
    assert (case.problem.height, case.problem.block, case.problem.halo) == (1, 1, 0)


def test_nothing_possible_is_an_error_that_says_why():
    with pytest.raises(UsageError, match="stride 3 does not divide block 8"):
        of_attention(stride=[3])


def test_nothing_possible_of_one_workload_is_an_error_beside_another():
    content = {"attention": {"resolution": [8], "stride": [3]}, "model": {"model": ["halonet_h0"]}}
    with pytest.raises(UsageError, match="stride 3 does not divide block 8"):
        plan(spec.spec(content, {}, {}))


def test_no_grid_at_all_is_an_error():
    with pytest.raises(UsageError, match="nothing to measure"):
        plan(spec.spec({}, {}, {}))


def test_all_is_every_implementation_there_is():
    cases = of_attention(implementation=["all"]).cases
    assert [case.implementation for case in cases] == list(IMPLEMENTATIONS)


def test_an_unknown_implementation_names_the_known():
    with pytest.raises(UnknownName, match=r"no attention implementation 'naive'; there are: .*naive_global"):
        of_attention(implementation=["haloed_blocked", "naive"])


def test_an_unknown_model_names_the_known():
    with pytest.raises(UnknownName, match="no model 'halonet_h9'; there are: halonet_h0, "):
        of_models("halonet_h9")


def test_a_device_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="this machine has no cuda; there is: cpu"):
        of_attention(device=["cpu", "cuda"])


def test_without_a_device_and_threads_the_machine_s_are_taken():
    for case in of_attention().cases + of_models("halonet_h0", implementation=TWO).cases:
        assert (case.device, case.threads) == (devices()[0], torch.get_num_threads())


@pytest.mark.parametrize(
    ("resolution", "size"), [("64", (64, 64)), ("64x48", (64, 48))], ids=["a side", "height and width"]
)
def test_a_resolution_is_a_side_or_height_and_width(resolution, size):
    problem = of_attention(resolution=[resolution]).cases[0].problem
    assert (problem.height, problem.width) == size


def test_values_are_as_wide_as_queries_if_nothing_is_said():
    planned = of_attention(implementation=TWO[:1], dim=[8, 32])
    assert [(case.problem.dim_qk, case.problem.dim_v) for case in planned.cases] == [(8, 8), (32, 32)]
    assert of_attention(dim=[8], dim_v=[72]).cases[0].problem.dim_v == 72


def test_every_axis_arrives_in_the_case():
    problem = {"block": 4, "halo": 2, "stride": 2, "batch": 3, "heads": 5, "border": "zero"}
    problem |= {"position": "split", "offset": "compact", "scale": 0.3, "position_scale": -1.5}
    problem |= {"dtype": "bfloat16"}
    place = {"layout": "nchw", "direction": "forward_backward", "device": "cpu", "threads": 7}
    axes = {name: [value] for name, value in (problem | place).items()}
    fields = of_attention(implementation=TWO[:1], **axes).cases[0].fields
    assert {name: fields[name] for name in axes} == problem | place


@pytest.mark.parametrize(
    ("model", "given", "measured"),
    [
        ("timm/resnet50", ["all"], [""]),
        ("timm/resnet50", ["original", "haloed_blocked"], [""]),
        ("timm/halonet26t", ["original"], ["original"]),
        ("halonet_h0", ["haloed_blocked", "original"], ["haloed_blocked", "original"]),
    ],
    ids=["no attention, all", "no attention, two named", "as published", "ours: refused when it is measured"],
)
def test_a_model_gets_the_implementations_it_can_have(model, given, measured):
    assert [case.implementation for case in of_models(model, implementation=given).cases] == measured


def test_without_a_size_every_model_gets_its_own():
    planned = of_models("halonet_h3", "timm/resnet50", implementation=["haloed_chunked"])
    assert [(case.model, case.image_size) for case in planned.cases] == [
        ("halonet_h3", 320),
        ("timm/resnet50", 224),
    ]


def test_models_are_multiplied_out_too():
    axes = {"image_size": [64, 96], "batch": [1, 2], "direction": ["inference", "training"]}
    cases = of_models("halonet_h0", "halonet_h1", implementation=TWO, **axes).cases
    assert len({case.id for case in cases}) == len(cases) == 2 * 2 * 2 * 2 * len(TWO)
    assert [case.implementation for case in cases] == TWO * 16


def test_a_bug_in_a_case_is_no_impossible_combination(monkeypatch):
    def broken(fields):
        raise ValueError("of a library")

    monkeypatch.setattr("halobench.sweep.plan.case_of", broken)
    with pytest.raises(ValueError, match="of a library") as error:
        plan(spec.spec(spec.preset("smoke"), {}, {}))
    assert error.type is ValueError


def test_only_networks_can_be_left_as_they_are():
    with pytest.raises(UnknownName, match="no attention implementation 'original'"):
        plan(spec.spec(spec.preset("smoke"), {"implementation": ["original"]}, {}))
