"""The layer as people use it in programs of their own: `docs/layer.md` says what works, and this tries it."""

import subprocess
import sys

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import functional_call, grad, jvp, vmap

from halobench.attention import HaloAttention

OURS = ("auto", "haloed_chunked", "haloed_blocked", "sdpa_blocked", "naive_global", "unfold_local")
REFERENCE = "naive_global"


def layers(implementation):
    """A layer with the implementation, and the same one as the reference, in float64."""
    torch.manual_seed(0)
    layer = HaloAttention(8, heads=2, block=4, halo=1, implementation=implementation).double()
    reference = HaloAttention(8, heads=2, block=4, halo=1, implementation=REFERENCE).double()
    reference.load_state_dict(layer.state_dict())
    return layer, reference


def maps(batch=2):
    generator = torch.Generator().manual_seed(batch)
    return torch.randn(batch, 8, 9, 6, dtype=torch.float64, generator=generator)


def energy(layer, parameters, x):
    return functional_call(layer, parameters, (x,)).square().sum()


def penalty(layer):
    """Gradients of a gradient penalty: a second derivative whose upstream gradient is constant."""
    x = maps().requires_grad_()
    (slope,) = torch.autograd.grad(layer(x).sum(), x, create_graph=True)
    return torch.autograd.grad(slope.square().sum(), list(layer.parameters()))


def third(layer):
    """A third derivative along a line."""
    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    value = layer(maps() * (1 + t)).square().sum()
    for _ in range(3):
        (value,) = torch.autograd.grad(value, t, create_graph=True)
    return (value,)


def transformed(layer):
    return tuple(grad(lambda given: energy(layer, given, maps()))(dict(layer.named_parameters())).values())


def per_sample(layer):
    of_one = grad(lambda given, x: energy(layer, given, x[None]))
    return tuple(vmap(of_one, (None, 0))(dict(layer.named_parameters()), maps(3)).values())


def mapped(layer):
    return (vmap(layer)(maps(3)[:, None]),)


def pushed(layer):
    return jvp(layer, (maps(),), (maps() + 1,))


def dual(layer):
    with forward_ad.dual_level():
        return (forward_ad.unpack_dual(layer(forward_ad.make_dual(maps(), maps() + 1))).tangent,)


DERIVATIVES = [penalty, third, transformed, per_sample, mapped, pushed, dual]


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
@pytest.mark.parametrize("derivative", DERIVATIVES, ids=lambda function: function.__name__)
@pytest.mark.parametrize("implementation", OURS)
def test_derivatives_of_every_kind_are_those_of_the_reference(implementation, derivative):
    layer, reference = layers(implementation)
    for found, known in zip(derivative(layer), derivative(reference), strict=True):
        torch.testing.assert_close(found, known)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_a_second_derivative_of_compiled_code_is_an_error():
    layer, _ = layers("haloed_compiled")
    x = maps().requires_grad_()
    (slope,) = torch.autograd.grad(layer(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="does not currently support double backward"):
        slope.square().sum().backward()


@pytest.mark.parametrize("implementation", OURS)
def test_a_compiled_training_step_has_the_same_gradients(implementation):
    layer, _ = layers(implementation)
    parameters = list(layer.parameters())
    known = torch.autograd.grad(layer(maps()).square().sum(), parameters)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    for found, right in zip(
        torch.autograd.grad(compiled(maps()).square().sum(), parameters), known, strict=True
    ):
        torch.testing.assert_close(found, right)


@pytest.mark.parametrize("implementation", OURS)
def test_an_export_takes_batches_of_any_size(implementation):
    layer, _ = layers(implementation)
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    exported = torch.export.export(layer.eval(), (maps(),), dynamic_shapes=dynamic).module()
    for batch in (1, 2, 5):
        torch.testing.assert_close(exported(maps(batch)), layer(maps(batch)))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("implementation", OURS)
def test_a_trace_gives_the_same(implementation):
    layer, _ = layers(implementation)
    torch.testing.assert_close(torch.jit.trace(layer.eval(), maps())(maps()), layer(maps()))


FIRST = """
import sys, torch
from halobench.attention import HaloAttention
from halobench.models.halonet import CONFIGURATIONS, HaloNet

layer = HaloAttention(16, heads=2, block=4, halo=1)
layer.implementation = sys.argv[1]
torch.compile(layer, backend="eager", fullgraph=True)(torch.randn(1, 16, 8, 8))
"""


@pytest.mark.slow
@pytest.mark.parametrize("implementation", ["auto", "sdpa_blocked"])
def test_the_very_first_call_may_be_a_compiled_one(implementation):
    done = subprocess.run(
        [sys.executable, "-c", FIRST, implementation], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_unknown_implementation_is_refused_when_it_is_set():
    layer = HaloAttention(8, heads=2)
    with pytest.raises(KeyError, match="no attention implementation 'naive'"):
        layer.implementation = "naive"
    assert layer.implementation == "auto"
