import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halobench.attention import Problem
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.errors import UnknownName, UsageError
from halobench.sweep import spec
from halobench.sweep.plan import plan
from halobench.sweep.spec import Spec

BASE = Problem(height=32, width=32, block=8, halo=3, batch=2, heads=2, position="sum")  # of `quick`
BOTH = {"attention": {"resolution": [8]}, "model": {"model": ["halonet_h0"]}}


def read(content, axes=None, run=None):
    return spec.spec(content, axes or {}, run or {})


def test_an_axis_replaces_that_of_every_grid_which_has_it():
    grids = [{"resolution": [16, 32], "batch": [1]}, {"resolution": [64], "block": [4]}]
    found = read({"attention": grids}, {"block": ["8", "16"]})
    assert [grid.block for grid in found.attention] == [[8, 16], [8, 16]]
    assert [grid.resolution for grid in found.attention] == [["16", "32"], ["64"]]


def test_an_axis_of_both_workloads_replaces_both():
    found = read(BOTH, {"batch": ["3"]})
    assert (found.attention[0].batch, found.model[0].batch) == ([3], [3])


def test_an_axis_on_top_of_a_preset_leaves_the_others_alone():
    (before,), (after,) = (
        read(spec.preset("smoke"), axes).attention for axes in ({}, {"resolution": ["64x48"]})
    )
    assert after.resolution == ["64x48"]
    assert after.model_dump(exclude={"resolution"}) == before.model_dump(exclude={"resolution"})


def test_run_settings_replace_those_of_the_file():
    found = read(BOTH | {"run": {"seconds": 2, "seed": 5}}, run={"seconds": 0.5})
    assert (found.run.seconds, found.run.seed) == (0.5, 5)


def test_one_grid_needs_no_list():
    assert read(BOTH) == read({kind: [table] for kind, table in BOTH.items()})


def test_sizes_of_maps_may_be_numbers_or_text():
    assert read({"attention": {"resolution": [8, "16", "64x48"]}}).attention[0].resolution == [
        "8",
        "16",
        "64x48",
    ]


@pytest.mark.parametrize(
    ("given", "attention", "model"),
    [
        (["forward"], [["forward"]], []),
        (["training"], [], [["training"]]),
        (["forward_backward", "inference"], [["forward_backward"]], [["inference"]]),
    ],
    ids=["of attention", "of models", "of both"],
)
def test_directions_go_to_the_workload_that_has_them(given, attention, model):
    found = read(BOTH, {"direction": given})
    assert [table.direction for table in found.attention] == attention
    assert [table.direction for table in found.model] == model


WRONG = {
    "no such axis": ({"blok": [8]}, "attention.blok: there is no such axis or setting"),
    "an axis of the other workload": ({"image_size": [64]}, "attention.image_size: there is no such axis"),
    "no resolution": ({"resolution": []}, "attention.resolution: "),
    "block 0": ({"block": [0]}, "attention.block: 0 must be greater than or equal to 1"),
    "half a block": ({"block": [4.5]}, "attention.block: 4.5 must be a valid integer"),
    "a negative halo": ({"halo": [-1]}, "attention.halo: -1 must be greater than or equal to 0"),
    "no list": ({"halo": 3}, "attention.halo: 3 must be a valid list"),
    "an empty axis": ({"halo": []}, "attention.halo: [] "),
    "a half resolution": ({"resolution": ["8x"]}, "attention.resolution: '8x' must be "),
    "resolution 0": ({"resolution": [0]}, "attention.resolution: 0 must be "),
    "a dtype": ({"dtype": ["float8"]}, "'float8' must be one of float32, float16, bfloat16, float64"),
    "a border": ({"border": ["edge"]}, "attention.border: 'edge' must be one of mask, zero"),
    "a position": ({"position": ["rel"]}, "'rel' must be one of none, sum, split"),
    "an offset": ({"offset": ["none"]}, "'none' must be one of exact, compact"),
    "a layout": ({"layout": ["nhwc"]}, "'nhwc' must be one of bhyxd, channels_last, nchw"),
    "a device": ({"device": ["tpu"]}, "attention.device: 'tpu' must be one of cpu, cuda"),
    "a direction": ({"direction": ["training"]}, "'training' must be one of forward, forward_backward"),
    "threads 0": ({"threads": [0]}, "attention.threads: 0 must be greater than or equal to 1"),
    "scale nan": ({"scale": [float("nan")]}, "attention.scale: nan must be a finite number"),
    "scale in words": ({"scale": ["half"]}, "attention.scale: 'half' must be a valid number"),
}


@pytest.mark.parametrize(("table", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_one_line_with_what_was_given_and_what_is_allowed(table, message):
    with pytest.raises(UsageError, match=r"^attention") as error:
        read({"attention": {"resolution": [8]} | table})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


WRONG_FILES = {
    "no such table": ({"atention": {}}, "atention: there is no such axis or setting"),
    "no such setting": ({"run": {"second": 1}}, "run.second: there is no such axis or setting"),
    "no time": ({"run": {"seconds": 0}}, "run.seconds: 0 must be greater than 0"),
    "endless time": ({"run": {"seconds": float("inf")}}, "run.seconds: inf must be a finite number"),
    "no replicates": ({"run": {"replicates": 0}}, "run.replicates: 0 must be greater than or equal to 1"),
    "a negative seed": ({"run": {"seed": -1}}, "run.seed: -1 must be greater than or equal to 0"),
    "nothing required": ({"attention": {"block": [8]}}, "attention.resolution: Field required"),
    "a number for a grid": ({"attention": 3}, "attention: 3 must be a table"),
    "a list of numbers for grids": ({"model": [3]}, "model: [3] must be a table"),
    "a number for the settings": ({"run": 3}, "run: 3 must be a table"),
    "two tables of settings": ({"run": [{}, {}]}, "run: [{}, {}] must be a table"),
}


@pytest.mark.parametrize(("content", "message"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_wrong_file_is_one_line(content, message):
    with pytest.raises(UsageError, match=r"^[a-z_.]+: ") as error:
        read(BOTH | content)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_wrong_direction_names_those_of_both_workloads():
    with pytest.raises(UsageError, match="'backward' must be one of forward, forward_backward, inference, t"):
        read(BOTH, {"direction": ["forward", "backward"]})


@pytest.mark.parametrize(
    ("kept", "axis", "of"),
    [("attention", "model", "model"), ("model", "block", "attention")],
    ids=["models", "attention"],
)
def test_an_axis_without_a_grid_to_act_on_is_refused(kept, axis, of):
    with pytest.raises(UsageError, match=f"^{axis} is an axis of {of}, and there is none of that to measure"):
        read({kept: BOTH[kept]}, {axis: ["4"]})


def test_an_axis_of_both_needs_only_one_of_them():
    assert read({"model": BOTH["model"]}, {"batch": ["4"]}).model[0].batch == [4]


@pytest.mark.parametrize("name", spec.presets())
def test_a_spec_written_and_read_again_is_the_same(name):
    content = spec.preset(name)
    axes = {"resolution": ["64x48"], "scale": ["0.3"]} if "attention" in content else {"image_size": ["64"]}
    known = read(content, axes | {"threads": ["1", "2"]})
    assert read(tomllib.loads(spec.to_toml(known))) == known


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_survives_the_file(number):
    known = read({"attention": {"resolution": [8], "position_scale": [number]}})
    assert Spec.model_validate(tomllib.loads(spec.to_toml(known))) == known


def test_a_file_is_read_as_toml(tmp_path):
    (tmp_path / "mine.toml").write_text("[attention]\nresolution = [8]  # é", encoding="utf-8")
    assert spec.from_file(tmp_path / "mine.toml") == {"attention": {"resolution": [8]}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no spec file .*mine.toml"),
        (b"a = = 3", "mine.toml is not TOML"),
        (b"# \xe9", "mine.toml is not"),
    ],
    ids=["no file", "no TOML", "another encoding"],
)
def test_a_file_that_can_not_be_read_is_named(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(UsageError, match=message):
        spec.from_file(path)


def test_an_unknown_preset_names_the_known():
    with pytest.raises(UnknownName, match=r"no preset 'papr'; there are: .*quick, smoke"):
        spec.preset("papr")


@pytest.mark.parametrize("name", spec.presets())
def test_every_preset_can_be_read_and_says_what_it_is_for(name):
    assert read(spec.preset(name)).attention or read(spec.preset(name)).model
    assert spec.presets()[name].endswith(".")


def test_every_preset_but_those_for_a_gpu_has_a_plan_on_a_cpu():
    for name in ("smoke", "quick"):
        assert plan(read(spec.preset(name), {"device": ["cpu"]})).left_out == {}


def test_a_name_with_any_character_can_be_read_again():
    known = read({"model": [{"model": ["timm/\U0001f30d", "a\x7f", '"'], "image_size": [64]}]})
    assert Spec.model_validate(tomllib.loads(spec.to_toml(known))) == known


@pytest.fixture(scope="module")
def quick():
    return read(spec.preset("quick"))


def test_quick_takes_a_third_of_a_second_a_case(quick):
    assert quick.run.seconds == 0.3


def test_quick_covers_every_axis_for_every_implementation_of_plain_torch(quick):
    cases = [case for case in plan(quick).cases if case.workload == "attention"]
    for name in ("naive_global", "unfold_local", "haloed_blocked", "haloed_chunked", "sdpa_blocked"):
        own = [case for case in cases if case.implementation == name]
        assert len({case.problem.height for case in own}) >= 3
        assert len({(case.problem.block, case.problem.halo) for case in own}) >= 3
        assert len({case.problem.batch for case in own}) == 2
        assert {case.direction for case in own} == {"forward", "forward_backward"}
        assert {case.problem.border for case in own} == {"mask", "zero"}


def test_every_implementation_meets_the_base_of_quick(quick):
    cases = [case for case in plan(quick).cases if case.workload == "attention"]
    for border in ("mask", "zero"):
        at_base = {case.implementation for case in cases if case.problem == replace(BASE, border=border)}
        assert at_base >= (set(IMPLEMENTATIONS) if border == "zero" else {"naive_global", "haloed_chunked"})


@pytest.mark.parametrize("name", ["timm/halonet26t", "timm/halonet50ts", "timm/halonet_h1"])
def test_quick_measures_timms_networks_as_published_and_with_two_of_ours(quick, name):
    own = [case for case in plan(quick).cases if case.workload == "model" and case.model == name]
    assert {case.implementation for case in own} == {"original", "haloed_blocked", "haloed_chunked"}


@pytest.mark.parametrize("name", ["halonet_h0", "timm/halonet26t", "timm/resnet50"])
def test_quick_measures_some_models_at_two_sizes_and_two_batches(quick, name):
    own = [case for case in plan(quick).cases if case.workload == "model" and case.model == name]
    assert len({case.image_size for case in own}) == len({case.batch for case in own}) == 2
    assert {case.direction for case in own} == {"inference", "training"}


@pytest.mark.parametrize("axis", ["block", "scale", "threads"])
def test_a_truth_is_no_number(axis):
    with pytest.raises(UsageError, match=f"attention.{axis}: True must be a number"):
        spec.spec({"attention": {"resolution": [8], axis: [True]}}, {}, {})
