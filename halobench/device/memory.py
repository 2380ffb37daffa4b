"""The peak memory of a call."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    """Most bytes that were live at once beyond those before the call, and what the allocator held."""

    peak_bytes: int
    reserved_bytes: int | None = None
