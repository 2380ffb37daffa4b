"""Implementations whose calls take the time and the memory that a test says, on the fake machine."""

from halobench.attention.implementation import IMPLEMENTATIONS, Implementation

PLENTY = 2**30  # more than the results of any case in a test


def costing(machine, name, seconds, nbytes=PLENTY, **fields):
    """An implementation that is right, and works `seconds` on the machine, or `seconds(problem)`."""
    attend = IMPLEMENTATIONS["haloed_blocked"].attend

    def working(q, k, v, position, problem):
        machine.work(*(each(problem) if callable(each) else each for each in (seconds, nbytes)))
        return attend(q, k, v, position, problem)

    return Implementation(name, working, **fields)
