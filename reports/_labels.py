"""Labels beside points, each where it covers as little as can be."""

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

DISTANCES = (5, 9, 14, 20, 27, 35, 44)  # in points; the nearest that is free is taken
ANGLES = (90, 270, 180, 0, 135, 315, 45, 225)  # degrees: above, below, left, right, corners

Label = tuple[float, float, str, str]  # x, y, words, colour


def label_points(
    figure: Figure, axes: Axes, labels: Sequence[Label], points: Sequence[tuple[float, float]]
) -> None:
    """`points` are not to be covered. Scales and layout must be final: what is free is found in pixels."""
    figure.draw_without_rendering()
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in axes.transData.transform(points)]
    for x, y, words, colour in labels:
        line = {"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 3}
        look: dict[str, Any] = {
            "color": colour,
            "fontsize": 8,
            "ha": "center",
            "va": "center",
            "arrowprops": line,
        }
        note = axes.annotate(words, (x, y), (0, 0), textcoords="offset points", **look)
        taken.append(_place(note, axes.bbox.extents, taken))


def _place(note: Annotation, inside: Sequence[float], taken: Sequence[Sequence[float]]) -> Sequence[float]:
    """Move a label to its best place and return what it covers there, as `left bottom right top` in pixels."""
    box = Text.get_window_extent(note)
    scale = note.get_figure(root=True).dpi / 72
    half = box.width / 2 / scale, box.height / 2 / scale
    offsets = np.array([_offset(angle, distance, half) for distance, angle in product(DISTANCES, ANGLES)])
    boxes = np.tile(offsets * scale, 2) + box.extents
    covered = _shared(boxes, np.array(taken)).sum(axis=1) - _shared(boxes, np.array([inside])).sum(axis=1)
    best = int(covered.round(3).argmin())
    note.set_position(tuple(offsets[best]))
    return boxes[best]


def _offset(angle: float, distance: float, half: tuple[float, float]) -> tuple[float, float]:
    """Of a label's middle from its point, so that its edge is `distance` away."""
    x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return x * (distance + half[0]), y * (distance + half[1])


def _shared(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The area that each box shares with each other: box other."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return (high - low).clip(0).prod(axis=-1)
