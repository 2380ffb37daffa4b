"""A moment by which work must end; it is handed down, and looked at between two pieces of work."""

import math
from dataclasses import dataclass
from time import monotonic


class OutOfTime(Exception):
    """Work ended at its deadline; what was done before is kept, and the next call goes on."""


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock; by default it never comes."""

    at_s: float = math.inf

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the moment so many seconds from now."""
        return cls(monotonic() + seconds)

    @property
    def left_s(self) -> float:
        """Seconds until then, never below zero."""
        return max(0.0, self.at_s - monotonic())

    @property
    def over(self) -> bool:
        """Whether the moment has come."""
        return self.left_s == 0.0


NEVER = Deadline()
