"""How many operations two other counters find in a network, and why they differ from ours.

Ours (`counting.Counted.flop`) has convolutions and products of matrices, of halo attention only the pairs
of query and key inside the map. torch's has every slot that is computed. fvcore's, whose count is one for
a multiply-add and is doubled here, has normalisation and pooling too; torch's fused attention, which it
does not know, is told to it. None of them has activations, sums, softmax or the moving of data.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import torch

from halobench.models import flop_count, zoo
from halobench.models.flop_count import FlopCount
from halobench.models.zoo import Model

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # it uses torch.jit.script
    from fvcore.nn import FlopCountAnalysis

TELLING = 0.01  # a difference of more than this part is explained
WORTH = 0.001  # by all that makes up more than this part
PRODUCTS = {"conv", "linear", "matmul", "einsum", "addmm", "bmm", "scaled_dot_product_attention"}


@dataclass(frozen=True)
class Counts:
    """What three counters find for one inference of one image."""

    counted: FlopCount  # ours and torch's
    by_fvcore: int  # FLOP: twice what it says
    besides: int  # of these normalisation and pooling

    @property
    def slots(self) -> int:
        """FLOP of torch's and fvcore's on slots outside the map, and on offsets that no query has."""
        return self.counted.by_torch - self.counted.flop

    @property
    def unknown(self) -> int:
        """FLOP of products that fvcore does not know, less those that torch does not."""
        return self.counted.by_torch + self.besides - self.by_fvcore

    def reasons(self) -> dict[str, float]:
        """Say what makes the counters differ by more than 1 %, as parts of ours."""
        ours = self.counted.flop
        if max(abs(other - ours) for other in (self.counted.by_torch, self.by_fvcore)) <= TELLING * ours:
            return {}
        parts = {"slots": self.slots, "normalisation": self.besides, "unknown": self.unknown}
        return {name: flop / ours for name, flop in parts.items() if abs(flop) > WORTH * ours}


def counts(model: Model) -> Counts:
    """Count with the attention that was published, or with ours that gathers a window per block.

    fvcore follows a real image through the network: that takes an inference and a few seconds.

    Raises:
        AssertionError: the network does not take images of its size.
        RuntimeError: it needs data, not shapes alone, or more memory than there is.
    """
    implementation = flop_count.COUNTED if model.implementation == "auto" else model.implementation
    counted = flop_count.counted(model.name, implementation, model.image_size, 1)
    network = zoo.create(model.name, implementation).eval()
    analysis = FlopCountAnalysis(network, torch.zeros(1, 3, model.image_size, model.image_size))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    analysis.set_op_handle("aten::scaled_dot_product_attention", _attention)
    with torch.no_grad():
        found = {name: 2 * int(pairs) for name, pairs in analysis.by_operator().items()}
    besides = sum(flop for name, flop in found.items() if name not in PRODUCTS)
    return Counts(counted, sum(found.values()), besides)


def _attention(inputs: list[Any], outputs: list[Any]) -> int:
    """Multiply-adds of q k^T and of the weights with v."""
    q, k, v = (value.type().sizes() for value in inputs[:3])
    return int(math.prod(q[:-1]) * k[-2] * (q[-1] + v[-1]))
