"""Numbers as people read them. Stored values are in base units; only here do they get prefixes."""

import math

NOTHING = "-"
SECONDS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))
BYTES = (("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10), ("B", 1.0))
FLOP = (("TFLOP", 1e12), ("GFLOP", 1e9), ("MFLOP", 1e6), ("kFLOP", 1e3), ("FLOP", 1.0))
COUNT = (("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0))


def seconds(value: float | None) -> str:
    return _prefixed(value, SECONDS)


def bytes_(value: float | None) -> str:
    return _prefixed(value, BYTES)


def flop(value: float | None) -> str:
    return _prefixed(value, FLOP)


def count(value: float | None) -> str:
    return _prefixed(value, COUNT)


def ratio(value: float | None) -> str:
    return NOTHING if _missing(value) else f"{_three(value)}x"


def spread(low: float | None, high: float | None, middle: float | None) -> str:
    """Half the interval as a percentage of its middle."""
    if _missing(low) or _missing(high) or _missing(middle):
        return NOTHING
    return f"±{(high - low) / 2 / middle:.1%}"


def _prefixed(value: float | None, units: tuple[tuple[str, float], ...]) -> str:
    if _missing(value):
        return NOTHING
    unit, scale = next((entry for entry in units if abs(value) >= entry[1]), units[-1])
    return f"{_three(value / scale)} {unit}".rstrip()


def _three(value: float) -> str:
    """Three digits, never an exponent."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)
