"""Names of models, and what each can have inside."""

import pytest
import timm
import torch
from timm.layers.halo_attn import HaloAttn

from halobench.attention import HaloAttention
from halobench.models import create, zoo


@pytest.mark.parametrize("name", zoo.LISTED)
def test_listed_models_are_found_and_take_what_is_their_own(name):
    model = zoo.find(name)
    assert model.name == name
    assert model.unsupported(model.implementation) is None


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("halonet_h0", 256),
        ("halonet_h7", 600),
        ("timm/tf_efficientnet_b7", 600),
        ("timm/resnet50.a1_in1k", 224),
    ],
)
def test_image_size_is_the_published_one(name, size):
    assert zoo.find(name).image_size == size


def test_the_list_of_halo_models_of_timm_is_complete():
    found = []
    for name in timm.list_models(module="byoanet"):
        with torch.device("meta"):
            network = timm.create_model(name)
        if any(isinstance(module, HaloAttn) for module in network.modules()):
            found.append(name)
    assert sorted(found) == sorted(zoo.TIMM_HALO)


@pytest.mark.parametrize("name", ["halonet_h8", "resnet50", "timm/resnet49", "timm/resnet50.of_nobody"])
def test_an_unknown_name_is_answered_with_the_known(name):
    with pytest.raises(KeyError, match=f"no model '{name}'; there are: halonet_h0, .*timm/<its name>"):
        zoo.find(name)


@pytest.mark.parametrize(
    ("name", "implementation", "reason"),
    [
        ("timm/halonet26t", "", "timm/halonet26t needs an implementation of its attention"),
        ("timm/resnet50", "haloed_blocked", "timm/resnet50 has no halo attention inside"),
        ("timm/resnet50", "original", "timm/resnet50 has no halo attention inside"),
        ("halonet_h0", "original", "halonet_h0 needs an implementation of its attention"),
        ("halonet_h0", "", "halonet_h0 needs an implementation of its attention"),
    ],
)
def test_what_does_not_fit_is_said_and_not_built(name, implementation, reason):
    with pytest.raises(ValueError, match=reason):
        create(name, implementation)


def test_an_unknown_implementation_is_answered_with_the_known():
    with pytest.raises(KeyError, match=r"nobodys.*haloed_blocked"):
        zoo.find("halonet_h0").unsupported("nobodys")


def test_created_layers_have_the_implementation_asked_for():
    with torch.device("meta"):
        network = create("halonet_h0", "sdpa_blocked")
    layers = [module for module in network.modules() if isinstance(module, HaloAttention)]
    assert {layer.implementation for layer in layers} == {"sdpa_blocked"}


def test_the_same_seed_gives_the_same_weights():
    weights = []
    for _ in range(2):
        torch.manual_seed(3)
        weights.append(create("halonet_h0").state_dict())
    torch.testing.assert_close(*weights, atol=0, rtol=0)


@pytest.mark.parametrize(
    "name", ["halonet_h0", "halonet_h4_base128_patch", "timm/halonet26t", "timm/resnet26t"]
)
def test_images_of_other_channels_and_other_classes(name):
    size = 256 if "26t" in name else 64
    assert create(name, in_chans=1, num_classes=7).eval()(torch.randn(1, 1, size, size)).shape == (1, 7)
