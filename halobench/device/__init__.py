"""Instruments: clocks, memory, the state of a device, what it can do at most, and what compiles for it."""
