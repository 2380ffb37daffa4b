"""The networks of the HaloNet paper (arXiv 2103.12731): ResNets with attention in place of 3x3 convolution.

`CONFIGURATIONS` has them by name: H0 to H7 (tables 2 and A2), HaloNet-50 (table 3), the hybrids of H7
(table 4) and of H4 with twice the width (table 6), and the backbones for detection (table 5). What the
paper leaves open, and what is chosen here, is in `docs/semantics.md`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from timm.layers.squeeze_excite import SEModule
from torch import Tensor, nn

from halobench.attention.layer import HaloAttention

SQUEEZE = 1 / 8  # channels of a squeeze-excite layer for each it scales
ACTIVATIONS: dict[str, type[nn.Module]] = {"silu": nn.SiLU, "relu": nn.ReLU}
CHOICES = {
    "squeezed": ("", "convolution", "attention"),
    "activation": tuple(ACTIVATIONS),
    "stem": ("7x7", "4x4"),
}
# Of the weights of convolutions, so that attention can be told right from wrong by the logits of a network
# just made, in eval mode. Measured, H0 to H7: with 1.3 a change of 1 % in attention is one of 2 % or more in
# the logits and activations stay below 7e3; with 1 the change is 1e-4 or less, with 1.41 float16 overflows.
GAIN = 1.3


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A network of the family; a tuple has a value for each stage. ValueError for what is none."""

    block: int = 8
    halo: int = 3
    image_size: int = 256
    width: int = 64  # channels of stage 1, of its queries and keys; each next stage has twice as many
    depths: tuple[int, ...] = (3, 3, 3, 3)  # blocks
    heads: tuple[int, ...] = (4, 8, 8, 8)
    value_ratio: float = 1.0  # channels of the values for each of the stage's width: r_v
    out_ratio: float = 4.0  # and of a block's output: r_b
    final: int | None = None  # channels of a last 1x1 convolution: d_f
    convolutions: int = 0  # first stages that have 3x3 convolution in place of attention
    convolution_ratio: float = 1.0  # channels of such a convolution for each of the stage's width
    squeezed: str = ""  # kind of block that has squeeze-excite
    activation: str = "silu"
    stem: str = "7x7"  # and pooling; 4x4 are patches that do not overlap
    stem_width: int = 64  # channels

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(filter(None, allowed))}, not {getattr(self, name)!r}"
                )
        if len(self.heads) != len(self.depths):
            raise ValueError(f"heads {self.heads} and depths {self.depths} must have a value a stage each")

    def kind(self, stage: int) -> str:
        """What the blocks of a stage have inside."""
        return "convolution" if stage < self.convolutions else "attention"


def _h(block: int, halo: int, depth: int, image_size: int, **more: Any) -> Configuration:
    """A row of table A2, `depth` being its l3."""
    return Configuration(block=block, halo=halo, depths=(3, 3, depth, 3), image_size=image_size, **more)


_H7 = _h(10, 3, 26, 600, value_ratio=4.0, out_ratio=3.5, final=2048)
_H7_HYBRID = replace(_H7, squeezed="convolution", convolution_ratio=1.5)
_BASE128 = Configuration(block=12, halo=2, image_size=384, width=128, depths=(3, 4, 12, 3))
_BASE128_LARGER = replace(_BASE128, block=16, halo=1, image_size=512)
_HALONET_50 = Configuration(depths=(3, 4, 6, 3), heads=(4, 8, 16, 32), activation="relu")
_RESNET_50 = Configuration(
    depths=(3, 4, 6, 3), convolutions=4, squeezed="convolution", activation="relu", image_size=1024
)
_RESNET_101 = replace(_RESNET_50, depths=(3, 4, 23, 3))

CONFIGURATIONS = {
    "halonet_h0": _h(8, 3, 7, 256, out_ratio=0.5),
    "halonet_h1": _h(8, 3, 10, 256, out_ratio=1.0),
    "halonet_h2": _h(8, 3, 11, 256, out_ratio=1.25),
    "halonet_h3": _h(10, 3, 12, 320, out_ratio=1.5, final=1024),
    "halonet_h4": _h(12, 2, 12, 384, out_ratio=3.0, final=1280),
    "halonet_h5": _h(14, 2, 23, 448, value_ratio=2.5, out_ratio=2.0, final=1536),
    "halonet_h6": _h(8, 4, 24, 512, value_ratio=3.0, out_ratio=2.75, final=1536),
    "halonet_h7": _H7,
    "halonet_h7_conv1": replace(_H7_HYBRID, convolutions=1),
    "halonet_h7_conv12": replace(_H7_HYBRID, convolutions=2),
    "halonet_h7_conv123": replace(_H7_HYBRID, convolutions=3),
    "halonet_50": _HALONET_50,
    "halonet_50_se": replace(_HALONET_50, squeezed="attention"),
    "halonet_50_se_silu": replace(_HALONET_50, squeezed="attention", activation="silu"),
    "halonet_h4_base128": _BASE128,
    "halonet_h4_base128_patch": replace(_BASE128, stem="4x4"),
    "halonet_h4_base128_conv12": replace(_BASE128, convolutions=2),
    "halonet_h4_base128_512": _BASE128_LARGER,
    "halonet_h4_base128_patch_512": replace(_BASE128_LARGER, stem="4x4"),
    "halonet_h4_base128_conv12_512": replace(_BASE128_LARGER, convolutions=2),
    "resnet50_se": _RESNET_50,
    "resnet50_local_b8": replace(_RESNET_50, convolutions=3),
    "resnet50_local_b32": replace(_RESNET_50, convolutions=3, block=32),
    "resnet101_se": _RESNET_101,
    "resnet101_local_b8": replace(_RESNET_101, convolutions=3),
    "resnet101_local_b32": replace(_RESNET_101, convolutions=3, block=32),
}


class HaloNet(nn.Module):
    """Images `(batch, in_chans, height, width)` to logits `(batch, classes)`.

    Args:
        row: which network of the family.
        implementation: of the attention inside: a name of `halobench list`, or `auto`.
        classes: logits an image.
        in_chans: channels of an image.
        asked: what else `HaloAttention` can be asked for: border, position, offset, scale, position_scale.
    """

    def __init__(
        self,
        row: Configuration,
        implementation: str = "auto",
        *,
        classes: int = 1000,
        in_chans: int = 3,
        **asked: Any,
    ) -> None:
        super().__init__()
        attention = partial(
            HaloAttention, block=row.block, halo=row.halo, implementation=implementation, **asked
        )
        self.stem = _stem(row, in_chans)
        dim, stages = row.stem_width, []
        for stage, depth in enumerate(row.depths):
            blocks = []
            for number in range(depth):
                blocks.append(_block(row, stage, dim, 2 if stage and not number else 1, attention))
                dim = blocks[-1].dim_out
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.final = _convolution(dim, row.final, 1, ACTIVATIONS[row.activation]) if row.final else None
        self.classify = nn.Linear(row.final or dim, classes)

    def features(self, images: Tensor) -> list[Tensor]:
        """The maps of each stage, `(batch, channels, y, x)`, at 1/4, 1/8, 1/16 and 1/32 of the image."""
        maps = [self.stem(images)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]

    def forward(self, images: Tensor) -> Tensor:
        maps = self.features(images)[-1]
        maps = maps if self.final is None else self.final(maps)
        logits: Tensor = self.classify(maps.mean((2, 3)))
        return logits


class Bottleneck(nn.Module):
    """Two 1x1 convolutions with `inner` between, and a shortcut around them.

    Args:
        dims: channels of the input, of what `inner` takes and gives, of the output.
        inner: maps to maps.
        stride: of `inner`.
        activation: after the first convolution, and after the sum.
    """

    def __init__(
        self, dims: tuple[int, int, int, int], inner: nn.Module, stride: int, activation: type[nn.Module]
    ) -> None:
        super().__init__()
        dim, dim_taken, dim_given, self.dim_out = dims
        self.narrow = _convolution(dim, dim_taken, 1, activation)
        self.inner = inner
        self.widen = _convolution(dim_given, self.dim_out, 1)
        same = dim == self.dim_out and stride == 1
        self.shortcut = nn.Identity() if same else _convolution(dim, self.dim_out, 1, stride=stride)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.activation(self.widen(self.inner(self.narrow(x))) + self.shortcut(x))
        return maps


def _stem(row: Configuration, in_chans: int) -> nn.Sequential:
    if row.stem == "4x4":
        return _convolution(in_chans, row.stem_width, 4, stride=4)
    convolution = _convolution(in_chans, row.stem_width, 7, ACTIVATIONS[row.activation], stride=2)
    return convolution.append(nn.MaxPool2d(3, 2, padding=1))


def _block(
    row: Configuration, stage: int, dim: int, stride: int, attention: Callable[..., HaloAttention]
) -> Bottleneck:
    width, activation = row.width * 2**stage, ACTIVATIONS[row.activation]
    if row.kind(stage) == "attention":
        dim_inner = int(width * row.value_ratio)
        attend = attention(width, dim_inner, heads=row.heads[stage], stride=stride)
        inner = nn.Sequential(attend, nn.BatchNorm2d(dim_inner), activation())
    else:
        dim_inner = int(width * row.convolution_ratio)
        inner = _convolution(width, dim_inner, 3, activation, stride=stride)
    if row.kind(stage) == row.squeezed:
        inner.append(SEModule(dim_inner, SQUEEZE))
    return Bottleneck((dim, width, dim_inner, int(width * row.out_ratio)), inner, stride, activation)


def _convolution(
    dim: int, dim_out: int, size: int, activation: type[nn.Module] | None = None, *, stride: int = 1
) -> nn.Sequential:
    """Return a convolution with normalisation, which makes a bias idle; an even size is that of patches."""
    padding = size // 2 if size % 2 else 0
    convolution = nn.Conv2d(dim, dim_out, size, stride, padding, bias=False)
    nn.init.normal_(convolution.weight, std=GAIN * (dim * size**2) ** -0.5)
    after = [activation()] if activation else []
    return nn.Sequential(convolution, nn.BatchNorm2d(dim_out), *after)
