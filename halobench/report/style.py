"""The looks that all figures share: a colour, a marker and a place for each implementation."""

from collections.abc import Iterable
from itertools import product
from zlib import crc32

AS_IS = "as it is"  # a model without halo attention, as reports name it
# Colours that people with any colour vision tell apart (the first seven: Okabe and Ito, "Color Universal
# Design", 2008), and a marker each. A name that is not here takes one of each, the same in every figure, and
# never both of another name.
COLOURS = {
    "naive_global": "#000000",
    "unfold_local": "#E69F00",
    "haloed_blocked": "#56B4E9",
    "haloed_chunked": "#009E73",
    "sdpa_blocked": "#CC79A7",
    "triton_fused": "#D55E00",
    "original": "#0072B2",
    "haloed_compiled": "#6A3D9A",
    "flex_blocks": "#8C564B",
    "timm_halo": "#777777",
    "lucidrains_halo": "#B2182B",
    "natten": "#B8A900",
    AS_IS: "#2F4F4F",
}
MARKERS = "osD^vPX*<>hdp"


def colour(implementation: str) -> str:
    """Return the colour of an implementation, in every figure."""
    return list(COLOURS.values())[_look(implementation)[0]]


def marker(implementation: str) -> str:
    """Return the marker of an implementation, in every figure."""
    return MARKERS[_look(implementation)[1]]


def ordered(implementations: Iterable[str]) -> list[str]:
    """Each once, in the order of every table and legend: those with a colour of their own first."""
    return sorted(set(implementations), key=lambda name: (name not in COLOURS, _place(name), name))


_looks = {name: (place, place % len(MARKERS)) for place, name in enumerate(COLOURS)}


def _look(implementation: str) -> tuple[int, int]:
    """The places of its colour and marker, which its name decides unless another name has both already."""
    if implementation not in _looks:
        every = list(product(range(len(COLOURS)), range(len(MARKERS))))
        first = crc32(implementation.encode("utf-8", "surrogateescape")) % len(every)
        taken = set(_looks.values())
        free = [look for look in every[first:] + every[:first] if look not in taken]
        _looks[implementation] = free[0] if free else every[first]
    return _looks[implementation]


def _place(implementation: str) -> int:
    return _look(implementation)[0]
