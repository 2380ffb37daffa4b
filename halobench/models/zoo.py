"""Names to models: the paper's HaloNets, and every model of timm as `timm/<its name>`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import timm
from torch import nn

from halobench.attention.implementation import load
from halobench.case import ORIGINAL
from halobench.errors import UnknownName
from halobench.models.halonet import CONFIGURATIONS, Configuration, HaloNet
from halobench.models.swap import use

TIMM = "timm/"
TIMM_HALO = (
    "halonet26t",
    "halonet50ts",
    "sehalonet33ts",
    "eca_halonext26ts",
    "halo2botnet50ts_256",
    "haloregnetz_b",
    "lamhalobotnet50ts_256",
    "halonet_h1",
)
TIMM_OTHERS = (
    "resnet50",
    "resnet26t",
    *(f"efficientnet_b{size}" for size in range(5)),
    *(f"tf_efficientnet_b{size}" for size in range(8)),
    "convnext_tiny",
    "swin_tiny_patch4_window7_224",
    "deit_small_patch16_224",
    "botnet26t_256",
    "lambda_resnet26t",
)
LISTED = (*CONFIGURATIONS, *(TIMM + name for name in TIMM_HALO + TIMM_OTHERS))  # timm has a thousand more


@dataclass(frozen=True)
class Model:
    """A network by name: how it is built, for which images, and whether halo attention is inside."""

    name: str
    build: Callable[[str, int, int], nn.Module]  # implementation inside, channels, classes -> network
    image_size: int  # side of the images it was published for
    halo: bool

    @property
    def implementation(self) -> str:
        """What it has inside when nothing else is asked for."""
        if not self.halo:
            return ""
        return ORIGINAL if self.name.startswith(TIMM) else "auto"

    def unsupported(self, implementation: str) -> str | None:
        """Why it cannot have this attention inside, or None; KeyError for one that nobody knows."""
        if not self.halo:
            return f"{self.name} has no halo attention inside" if implementation else None
        published = self.name.startswith(TIMM) and implementation == ORIGINAL
        if implementation in ("", ORIGINAL) and not published:
            return f"{self.name} needs an implementation of its attention: one of `halobench list`, or auto"
        if implementation not in ("auto", ORIGINAL):
            load(implementation)
        return None


def find(name: str) -> Model:
    """The model of this name; KeyError with the known names."""
    if name in CONFIGURATIONS:
        row = CONFIGURATIONS[name]
        halo = row.convolutions < len(row.depths)
        return Model(name, partial(_ours, row), row.image_size, halo)
    published = name.removeprefix(TIMM)
    if published == name or not _timm_has(published):
        raise UnknownName(
            f"no model {name!r}; there are: {', '.join(LISTED)}; any other of timm is {TIMM}<its name>"
        )
    halo = published.partition(".")[0] in TIMM_HALO
    return Model(name, partial(_published, published), _image_size(published), halo)


def create(
    name: str, implementation: str | None = None, *, in_chans: int = 3, num_classes: int = 1000
) -> nn.Module:
    """Build a network with weights drawn from torch's generator.

    Args:
        name: of `halobench list`; timm's begin with `timm/`.
        implementation: of the attention inside; the network's own if not given.
        in_chans: channels of an image.
        num_classes: logits an image.

    Returns:
        A module that takes images `(batch, in_chans, height, width)` and gives logits `(batch, num_classes)`.

    Raises:
        UnknownName: a KeyError, for a network or an implementation that there is not.
        ValueError: the network has no such attention inside.

    Example:
        >>> import torch
        >>> create("halonet_h0", "haloed_blocked")(torch.randn(1, 3, 64, 64)).shape
        torch.Size([1, 1000])
    """
    model = find(name)
    implementation = model.implementation if implementation is None else implementation
    if reason := model.unsupported(implementation):
        raise ValueError(f"{implementation!r} does not fit: {reason}")
    return model.build(implementation, in_chans, num_classes)


def _timm_has(name: str) -> bool:
    """Return whether timm has the model, and its tag if the name has one (`resnet50.a1_in1k`)."""
    return timm.is_model(name) and ("." not in name or name in timm.list_pretrained())


def _image_size(name: str) -> int:
    size: int = timm.get_pretrained_cfg(name).input_size[-1]  # type: ignore[union-attr]  # every model of timm has one
    return size


def _ours(row: Configuration, implementation: str, in_chans: int, num_classes: int) -> nn.Module:
    return HaloNet(row, implementation, in_chans=in_chans, classes=num_classes)


def _published(name: str, implementation: str, in_chans: int, num_classes: int) -> nn.Module:
    """Build a network with random weights, none of them zero: timm's residual branches would add nothing.

    That is the same work, but an attention that is wrong could not be told from one that is right.
    """
    sizes: dict[str, Any] = {"in_chans": in_chans, "num_classes": num_classes}
    if name.partition(".")[0] not in TIMM_HALO:
        network: nn.Module = timm.create_model(name, pretrained=False, **sizes)
        return network
    network = timm.create_model(name, pretrained=False, zero_init_last=False, **sizes)
    return use(network, implementation)
