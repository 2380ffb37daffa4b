"""What the wrappers of others' code promise beyond being right, which test_attention.py sees to."""

import subprocess
import sys
from dataclasses import replace
from functools import partial
from importlib import import_module, util

import pytest
import torch

from halobench.attention import Problem, oracle
from halobench.attention.implementation import IMPLEMENTATIONS

PLAIN = Problem(height=8, width=8, block=4, halo=1, batch=1, heads=2)
ZERO = replace(PLAIN, border="zero")
LEARNS = "forward_backward"


def why_not(name, problem, direction="forward"):
    if name not in IMPLEMENTATIONS:
        pytest.skip(f"needs {name}")
    return IMPLEMENTATIONS[name].unsupported(problem, "cpu", direction)


def shares_memory(x, y):
    return x.untyped_storage().data_ptr() == y.untyped_storage().data_ptr()


@pytest.mark.parametrize(
    ("name", "problem", "reason"),
    [
        ("timm_halo", PLAIN, "border zero only: what lies outside the map takes weight"),
        ("timm_halo", replace(ZERO, width=9), "needs a map of whole blocks, not 8 x 9 with block 4"),
        ("timm_halo", replace(ZERO, stride=4), "stride 1 or 2 only, not 4"),
        (
            "timm_halo",
            replace(ZERO, stride=2, position="sum"),
            "offset compact only at stride 2: its tables count queries",
        ),
        ("lucidrains_halo", ZERO, "border mask only: what lies outside the map gets no weight"),
        ("lucidrains_halo", replace(PLAIN, halo=0), "halo 1 or more only"),
        ("lucidrains_halo", replace(PLAIN, dim_v=8), "values as wide as keys only, not 8 and 16"),
        ("lucidrains_halo", replace(PLAIN, stride=2), "stride 1 only, not 2"),
        ("natten", PLAIN, "border mask only where no window is cut off at the edge or each is the whole map"),
        ("natten", replace(ZERO, position="sum"), "position none only"),
        ("natten", replace(ZERO, scale=0.0), "scale 0 is taken for the default"),
        ("natten", replace(ZERO, block=1, halo=0), "windows of 2 positions a side or more only"),
        ("flex_blocks", replace(PLAIN, dtype="float64"), "float64 is not supported"),
        ("flex_blocks", replace(PLAIN, batch=0), "needs a batch of 1 or more"),
    ],
)
def test_what_can_not_be_meant_has_a_reason(name, problem, reason):
    assert why_not(name, problem) == reason


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param("timm_halo", replace(PLAIN, halo=0), id="timm, nothing outside the map"),
        pytest.param("timm_halo", replace(ZERO, stride=2), id="timm, stride 2 without position"),
        pytest.param("natten", replace(PLAIN, halo=0), id="natten, nothing outside the map"),
        pytest.param("natten", replace(PLAIN, halo=4), id="natten, every window is the whole map"),
        pytest.param("natten", replace(PLAIN, width=4, block=8, halo=3), id="natten, a single block"),
        pytest.param("natten", replace(ZERO, halo=6), id="natten, halo wider than a block"),
        pytest.param("natten", replace(ZERO, height=7, width=10), id="natten, cut-off blocks"),
    ],
)
def test_what_means_the_same_by_luck_is_supported_and_right(name, problem):
    assert why_not(name, problem) is None
    given = oracle.inputs(problem)
    out = IMPLEMENTATIONS[name].attend(given.q, given.k, given.v, None, problem)
    torch.testing.assert_close(
        out.double(), oracle.attend(given.q, given.k, given.v, None, problem), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", ["flex_blocks", "natten"])
def test_flexattention_has_no_backward_pass_on_a_cpu(name):
    assert why_not(name, ZERO, LEARNS) == "no backward pass on a CPU"
    assert why_not(name, ZERO) is None


@pytest.mark.parametrize("name", ["haloed_compiled", "flex_blocks"])
def test_without_a_compiler_nothing_is_compiled_on_a_cpu(name, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert why_not(name, PLAIN) == "needs no-such-compiler"


def test_loading_the_plugins_imports_nothing_slow():
    load = "from halobench.attention.implementation import IMPLEMENTATIONS; list(IMPLEMENTATIONS)"
    code = f"import sys; {load}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    slow = {"timm", "natten", "torch.nn.attention.flex_attention", "torch._inductor"}
    assert slow.isdisjoint(done.stdout.split())


@pytest.mark.parametrize("layout", ["nchw", "channels_last"])
def test_timm_gets_views_of_maps_where_memory_is_laid_out_as_a_map(layout):
    given = oracle.inputs(ZERO, layout)
    q, kv = IMPLEMENTATIONS["timm_halo"].adapt(given.q, given.k, given.v, None, ZERO)
    assert shares_memory(q, given.q)
    assert kv.stride(1) == (1 if layout == "channels_last" else 64)


@pytest.mark.parametrize("heads", [1, 2])
def test_inputs_are_left_as_they_were(heads):
    """halonet-pytorch scales the queries it is given in place."""
    problem = replace(PLAIN, heads=heads, height=4, width=4)
    given = oracle.inputs(problem, "channels_last")
    before = given.q.clone()
    IMPLEMENTATIONS["lucidrains_halo"].attend(given.q, given.k, given.v, None, problem)
    assert torch.equal(given.q, before)


def test_a_plugin_whose_package_is_missing_is_left_out(monkeypatch):
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "halobench_kernels.natten", raising=False)
    with pytest.raises(ModuleNotFoundError, match="natten"):
        import_module("halobench_kernels.natten")


def test_flex_blocks_counts_whole_tiles():
    """On average 640 slots a query of a 32 x 32 map with b8 h3: five tiles of 128, of two blocks each."""
    problem = Problem(height=32, width=32, block=8, halo=3)
    assert IMPLEMENTATIONS["flex_blocks"].slots(problem) == 32 * 32 * 640


@pytest.mark.parametrize(
    "problem",
    [
        pytest.param(Problem(height=30, width=24, block=8, halo=3), id="cut off"),
        pytest.param(
            Problem(height=21, width=21, block=7, halo=2, border="zero"), id="tiles of parts of blocks"
        ),
        pytest.param(Problem(height=24, width=24, block=4, halo=5, stride=2), id="stride"),
    ],
)
def test_the_mask_of_flex_blocks_is_what_torch_would_make(problem):
    flex = import_module("halobench_kernels.flex_blocks")
    places, mask = flex._prepared(problem, "cpu")
    sizes = len(places.start_y), len(places.key_y)
    expected = import_module("torch.nn.attention.flex_attention").create_block_mask(
        mask.mask_mod, None, None, *sizes, device="cpu"
    )
    assert torch.equal(mask.to_dense(), expected.to_dense())


def test_every_problem_is_compiled_for_itself(monkeypatch):
    """torch gives up on a function after eight."""
    compiling = import_module("halobench_kernels._compile")
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    for size in range(1, 11):
        problem = Problem(height=size, width=1, block=1, halo=0)
        out = compiling.compiled(area, problem)(torch.ones(size), problem)
        assert out.sum() == size**2


def area(x, problem):
    return x * problem.height


def test_timm_without_position_adds_nothing_to_its_logits():
    """A zero would be a pass over all of them for our wrapper's sake."""
    logits = torch.ones(2)
    assert logits + import_module("halobench_kernels._adapters").no_position(None) is logits
