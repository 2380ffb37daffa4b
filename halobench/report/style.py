"""The looks that all figures share: a colour, a marker and a place for each implementation."""

from collections.abc import Iterable

AS_IS = "as it is"  # a model without halo attention, as reports name it
# Colours that people with any colour vision tell apart (the first seven: Okabe and Ito, "Color Universal
# Design", 2008), and a marker each; a name that is not here takes one of them, the same in every figure.
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
    """The colour of an implementation, in every figure."""
    return list(COLOURS.values())[_place(implementation)]


def marker(implementation: str) -> str:
    """The marker of an implementation, in every figure."""
    turn = 0 if implementation in COLOURS else 1 + sum(map(ord, implementation)) // len(MARKERS)
    return MARKERS[(_place(implementation) + turn) % len(MARKERS)]  # not both those of a known one


def ordered(implementations: Iterable[str]) -> list[str]:
    """Each once, in the order of every table and legend: those with a colour of their own first."""
    return sorted(set(implementations), key=lambda name: (name not in COLOURS, _place(name), name))


def _place(implementation: str) -> int:
    known = list(COLOURS)
    if implementation in known:
        return known.index(implementation)
    return sum(map(ord, implementation)) % len(known)
