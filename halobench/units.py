"""Numbers as people read them. Stored values are in base units; only here do they get prefixes."""

import math
from decimal import Decimal
from typing import TypeGuard

NOTHING = "-"
SECONDS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
BYTES = {"GiB": 2.0**30, "MiB": 2.0**20, "KiB": 2.0**10, "B": 1.0}
FLOP = {"TFLOP": 1e12, "GFLOP": 1e9, "MFLOP": 1e6, "kFLOP": 1e3, "FLOP": 1.0}
COUNT = {"G": 1e9, "M": 1e6, "k": 1e3, "": 1.0}
UNITS = SECONDS | BYTES | FLOP  # what one of it is in base units, for the axes of figures


def seconds(value: float | None) -> str:
    return _prefixed(value, SECONDS)


def bytes_(value: float | None) -> str:
    return _prefixed(value, BYTES)


def flop(value: float | None) -> str:
    return _prefixed(value, FLOP)


def count(value: float | None) -> str:
    return _prefixed(value, COUNT)


def number(value: float | None) -> str:
    """Three digits; the reader is told the unit elsewhere."""
    return _three(value) if _known(value) else NOTHING


def ratio(value: float | None) -> str:
    return f"{_three(value)}x" if _known(value) else NOTHING


def percent(value: float | None) -> str:
    """Write a fraction as a percentage."""
    return f"{value:.1%}" if _known(value) else NOTHING


def spread(low: float | None, high: float | None, middle: float | None) -> str:
    """Half the interval as a percentage of its middle."""
    if _known(low) and _known(high) and _known(middle):
        return f"±{percent((high - low) / 2 / middle)}"
    return NOTHING


def time(middle: float | None, low: float | None, high: float | None) -> str:
    """Seconds, and how well they are known where that is known."""
    words = [seconds(middle), spread(low, high, middle)]
    return " ".join(word for word in words if word != NOTHING) or NOTHING


def _prefixed(value: float | None, units: dict[str, float]) -> str:
    if not _known(value):
        return NOTHING
    rounded = max(abs(value), abs(float(f"{value:.3g}")))  # or 999.9 µs would be 1000 µs
    unit, scale = next((entry for entry in units.items() if rounded >= entry[1]), list(units.items())[-1])
    return f"{_three(value / scale)} {unit}".rstrip()


def _three(value: float) -> str:
    """Three digits, never an exponent."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{Decimal(f'{value:.3g}'):f}"


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and not math.isnan(value)
