"""Handwritten digits, 1797 of 8 x 8 pixels, as scikit-learn ships them (E. Alpaydin, C. Kaynak, UCI 1998)."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor

PER_CLASS = 36  # images of each digit to test with: a fifth
SPLIT_SEED = 0

Images = tuple[Tensor, Tensor]  # pixels `(image, 3, y, x)` from 0 to 1, and what they show


def train_and_test(size: int) -> tuple[Images, Images]:
    """Enlarged to so many pixels a side, with three equal channels."""
    pixels, digits = (torch.from_numpy(values) for values in load_digits(return_X_y=True))
    small = pixels.float().view(-1, 1, 8, 8) / 16
    large = F.interpolate(small, size=(size, size), mode="bilinear").expand(-1, 3, -1, -1)
    train, test = split(digits)
    return (large[train], digits[train]), (large[test], digits[test])


def split(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Places to train and to test with: as many of each digit to test with, drawn once for all."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(SPLIT_SEED))
    by_class = [order[labels[order] == label] for label in labels.unique()]
    train, test = ([part[kept] for part in by_class] for kept in (slice(PER_CLASS, None), slice(PER_CLASS)))
    return torch.cat(train), torch.cat(test)
