"""Images of one colour, and a network whose logits of them are known by hand."""

from pathlib import Path

import torch
from PIL import Image
from torch import nn

NAME = "timm/resnet50"  # known to the zoo and to the table of published figures; inside is Colours
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
WEIGHTS = {
    "head.weight": torch.cat([torch.eye(3), torch.zeros(3, 3)]),
    "head.bias": torch.tensor([0.0, 0, 0, 0, -1, -3]),
}
WRONG = {name: torch.zeros_like(tensor) for name, tensor in WEIGHTS.items()}


class Colours(nn.Module):
    """Its classes 0, 1 and 2 are red, green and blue."""

    def __init__(self, classes=6):
        super().__init__()
        self.head, self.num_classes, self.seen = nn.Linear(3, classes), classes, []

    def forward(self, images):
        self.seen += [(image.dtype, self.training) for image in images]
        return self.head(images.mean((2, 3)))


def paint(name, colour):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (9, 7), colour).save(name)
