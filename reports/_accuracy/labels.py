"""Labels beside points, each where it covers as little as can be."""

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

DISTANCES = (8, 10, 14, 20, 27, 35, 44)  # in points; the nearest that is free is taken
ANGLES = (90, 270, 180, 0, 135, 315, 45, 225)  # degrees: above, below, left, right, corners
FAR = 12  # in points: from here on a line leads to the label

Label = tuple[float, float, str, str]  # x, y, words, colour
Boxes = np.ndarray[Any, np.dtype[np.float64]]  # box side: left, bottom, right, top, in points


def room(labels: int) -> float:
    """Inches of a panel's height in which so many labels find a place."""
    return max(3.4, 0.17 * labels)


def settle(figure: Figure) -> None:
    """Lay the figure out for good, so that places found on it stay true."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def label_points(
    figure: Figure, axes: Axes, labels: Sequence[Label], points: Sequence[tuple[float, float]]
) -> None:
    """Place labels in a settled figure, none of which covers a point if that can be helped."""
    scale = 72 / figure.dpi
    inside = np.array([axes.bbox.extents]) * scale + np.array([3, 3, -3, -3])
    taken = np.tile(axes.transData.transform(points), 2) * scale + np.array([-6, -6, 6, 6])
    for x, y, words, colour in labels:
        line = {"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 4}
        note = axes.annotate(words, (x, y), (0, 0), textcoords="offset points", arrowprops=line)
        note.set(color=colour, fontsize=8, ha="center", va="center")
        box = Text.get_window_extent(note)
        half = np.array([box.width, box.height]) / 2 * scale
        distance, offset, covers = _best(axes.transData.transform((x, y)) * scale, half, inside, taken)
        note.set_position((offset[0], offset[1]))
        if distance < FAR and note.arrow_patch is not None:
            note.arrow_patch.set_visible(False)
        taken = np.vstack([taken, covers])


def _best(point: Boxes, half: Boxes, inside: Boxes, taken: Boxes) -> tuple[float, Boxes, Boxes]:
    """Return where a label of this half size goes: how far, its offset from the point, what it covers."""
    ways = list(product(DISTANCES, ANGLES))
    offsets = np.array([(half + distance) * _direction(angle) for distance, angle in ways])
    boxes = np.hstack([point + offsets - half, point + offsets + half])
    covered = _shared(boxes, taken).sum(axis=1) - _shared(boxes, inside).sum(axis=1)
    best = int(covered.round(3).argmin())
    return ways[best][0], offsets[best], boxes[best]


def _direction(angle: float) -> Boxes:
    return np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle))])


def _shared(boxes: Boxes, others: Boxes) -> Boxes:
    """The area that each box shares with each other: box other."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sides: Boxes = (high - low).clip(0)
    return sides[..., 0] * sides[..., 1]
