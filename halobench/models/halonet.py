"""The HaloNets H0 to H7 of arXiv 2103.12731 (tables 2 and A2): ResNets with attention for 3x3 convolution.

What the paper leaves open is done here as in the first ResNet: a batch normalisation after each
convolution and attention, SiLU after it, the last one after the sum; the shortcut is projected where
the shape changes. The first block of stages 2 to 4 halves the map by attending for every other
position only.

Parameters equal the table's to its last digit but for H3, of which the table says 12.3 million with a
final width of 1024: that width gives 11.8, and 1280 would give 12.3. The width is kept as printed.
"""

from dataclasses import dataclass
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from halobench.layer import HaloAttention

WIDTHS, HEADS = (64, 128, 256, 512), (4, 8, 8, 8)  # of attention's input, a stage each
STEM, CLASSES = 64, 1000
# Of the weights of convolutions, so that attention can be told right from wrong by the logits of a network
# just made, in eval mode. Measured, H0 to H7: with 1.3 a change of 1 % in attention is one of 2 % or more in
# the logits and activations stay below 7e3; with 1 the change is 1e-4 or less, with 1.41 float16 overflows.
GAIN = 1.3


@dataclass(frozen=True)
class Configuration:
    """A row of the paper's table A2, in its order."""

    block: int
    halo: int
    value_ratio: float  # channels of the values for each of the stage's width
    out_ratio: float  # and of a block's output
    depth: int  # blocks of stage 3; the other stages have 3
    image_size: int
    final: int | None = None  # channels of a last 1x1 convolution


CONFIGURATIONS = {
    "halonet_h0": Configuration(8, 3, 1.0, 0.5, 7, 256),
    "halonet_h1": Configuration(8, 3, 1.0, 1.0, 10, 256),
    "halonet_h2": Configuration(8, 3, 1.0, 1.25, 11, 256),
    "halonet_h3": Configuration(10, 3, 1.0, 1.5, 12, 320, 1024),
    "halonet_h4": Configuration(12, 2, 1.0, 3.0, 12, 384, 1280),
    "halonet_h5": Configuration(14, 2, 2.5, 2.0, 23, 448, 1536),
    "halonet_h6": Configuration(8, 4, 3.0, 2.75, 24, 512, 1536),
    "halonet_h7": Configuration(10, 3, 4.0, 3.5, 26, 600, 2048),
}


class HaloNet(nn.Module):
    """Images `(batch, 3, height, width)` to 1000 logits each."""

    def __init__(self, row: Configuration, implementation: str = "auto", *, border: str = "mask") -> None:
        super().__init__()
        attention = partial(
            HaloAttention, block=row.block, halo=row.halo, border=border, implementation=implementation
        )
        dim, blocks = STEM, []
        for width, heads, depth in zip(WIDTHS, HEADS, (3, 3, row.depth, 3), strict=True):
            dim_values, dim_out = int(width * row.value_ratio), int(width * row.out_ratio)
            for place in range(depth):
                stride = 2 if place == 0 and width != WIDTHS[0] else 1
                inner = attention(width, dim_values, heads=heads, stride=stride)
                blocks.append(Bottleneck(dim, inner, dim_out, stride))
                dim = dim_out
        self.stem = nn.Sequential(
            _convolution(3, STEM, 7, stride=2), nn.SiLU(), nn.MaxPool2d(3, 2, padding=1)
        )
        self.blocks = nn.Sequential(*blocks)
        self.final = nn.Sequential(_convolution(dim, row.final), nn.SiLU()) if row.final else nn.Identity()
        self.classify = nn.Linear(row.final or dim, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.final(self.blocks(self.stem(images)))
        logits: Tensor = self.classify(maps.mean((2, 3)))
        return logits


class Bottleneck(nn.Module):
    """Attention between two 1x1 convolutions, and a shortcut around them."""

    def __init__(self, dim: int, attention: HaloAttention, dim_out: int, stride: int) -> None:
        super().__init__()
        dim_values = attention.asked.heads * attention.asked.dim_v
        self.narrow = _convolution(dim, attention.q.in_channels)
        self.attention = nn.Sequential(attention, nn.BatchNorm2d(dim_values))
        self.widen = _convolution(dim_values, dim_out)
        same = dim == dim_out and stride == 1
        self.shortcut = nn.Identity() if same else _convolution(dim, dim_out, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.silu(self.attention(F.silu(self.narrow(x))))
        return F.silu(self.widen(inner) + self.shortcut(x))


def _convolution(dim: int, dim_out: int, size: int = 1, stride: int = 1) -> nn.Sequential:
    """With its normalisation, which makes a bias idle."""
    convolution = nn.Conv2d(dim, dim_out, size, stride, padding=size // 2, bias=False)
    nn.init.normal_(convolution.weight, std=GAIN * (dim * size**2) ** -0.5)
    return nn.Sequential(convolution, nn.BatchNorm2d(dim_out))
