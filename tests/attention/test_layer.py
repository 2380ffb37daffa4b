"""The layer against timm's, with timm's own weights, and against the oracle."""

import pytest
import torch
from timm.layers.halo_attn import HaloAttn

from halobench.attention import HaloAttention, oracle

IMPLEMENTATIONS = ["haloed_blocked", "haloed_chunked", "sdpa_blocked", "naive_global", "unfold_local"]
SHAPES = {
    "stride 1": {"size": (12, 8), "stride": 1, "block": 4, "halo": 3},
    "stride 2": {"size": (8, 16), "stride": 2, "block": 8, "halo": 3},
    "stride 2 does not divide the block": {"size": (14, 14), "stride": 2, "block": 7, "halo": 2},
}


def timms_and_ours(stride, block, halo):
    """timm's layer, and ours that means the same with a copy of its weights."""
    torch.manual_seed(7)
    theirs = HaloAttn(
        12, 24, stride=stride, num_heads=2, dim_head=6, block_size=block, halo_size=halo, dtype=torch.float64
    )
    meaning = {"border": "zero", "position": "sum", "offset": "compact"}
    ours = HaloAttention(12, 24, heads=2, dim_qk=6, stride=stride, block=block, halo=halo, **meaning).double()
    names = {"pos_embed.height_rel": "rel_height", "pos_embed.width_rel": "rel_width"}
    ours.load_state_dict({names.get(name, name): value for name, value in theirs.state_dict().items()})
    return theirs, ours


def output_and_gradients(layer, x):
    x = x.clone().requires_grad_()
    out = layer(x)
    out.mul(torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
    return {"out": out, "x": x.grad, "q": layer.q.weight.grad, "kv": layer.kv.weight.grad}


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_equals_the_layer_of_timm(implementation, shape):
    theirs, ours = timms_and_ours(shape["stride"], shape["block"], shape["halo"])
    ours.implementation = implementation
    x = torch.randn(2, 12, *shape["size"], dtype=torch.float64)
    expected = output_and_gradients(theirs, x)
    expected |= {"rel_height": theirs.pos_embed.height_rel.grad, "rel_width": theirs.pos_embed.width_rel.grad}
    actual = output_and_gradients(ours, x)
    actual |= {"rel_height": ours.rel_height.grad, "rel_width": ours.rel_width.grad}
    torch.testing.assert_close(actual, expected, atol=1e-10, rtol=1e-8)


@pytest.mark.parametrize("position", ["none", "sum", "split"])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_asks_for_what_its_problem_says(position, memory_format):
    options = {"border": "zero", "scale": 0.4, "position_scale": -2.0}
    layer = HaloAttention(8, 12, heads=2, block=4, halo=1, stride=2, position=position, **options)
    x = torch.randn(2, 8, 9, 7).to(memory_format=memory_format)
    q = layer.q(x).unflatten(1, (2, 4)).movedim(2, -1)
    k, v = layer.kv(x).unflatten(1, (2, 10)).movedim(2, -1).split([4, 6], dim=-1)
    tables = None if position == "none" else (layer.rel_height, layer.rel_width)
    expected = oracle.attend(q, k, v, tables, layer.problem(9, 7, batch=2))
    torch.testing.assert_close(layer(x).double(), expected.movedim(-1, 2).flatten(1, 2), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("block", "stride"), [(4, 1), (4, 2), (7, 2), (2, 3)])
def test_output_has_every_strideth_position_of_any_map(block, stride):
    layer = HaloAttention(8, 24, heads=4, block=block, halo=1, stride=stride)
    assert layer(torch.randn(1, 8, 11, 5)).shape == (1, 24, -(-11 // stride), -(-5 // stride))


def test_under_autocast_the_tables_follow_the_queries():
    layer = HaloAttention(8, heads=2, block=4, halo=1)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(1, 8, 8, 8)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"heads": 3}, "dim must be a multiple of heads = 3, not 16", id="heads"),
        pytest.param({"dim_out": 12}, "dim_out must be a multiple of heads = 8, not 12", id="values"),
        pytest.param({"stride": 0}, "stride must be 1 or more, not 0", id="stride"),
        pytest.param({"border": "wrap"}, "border must be one of mask, zero, not 'wrap'", id="border"),
    ],
)
def test_impossible_layer(options, message):
    with pytest.raises(ValueError, match=message):
        HaloAttention(16, **options)


def test_an_unknown_implementation_is_named_when_the_layer_is_made():
    with pytest.raises(KeyError, match=r"nobodys.*haloed_blocked"):
        HaloAttention(16, implementation="nobodys")
