"""Problems of the kind that an implementation says it can do: drawn at random, by a seed."""

import random
from collections.abc import Callable

from halobench.attention.problem import CHOICES, Problem

ENOUGH = 12  # random problems of its kind that an implementation is tried on
DRAWN = 4000  # problems before it is said that there are no more of a kind
LARGEST = 200_000  # query-slot pairs


def of_kind(unsupported: Callable[[Problem], str | None], dtype: str, seed: int = 0) -> list[Problem]:
    """Different problems for which no reason against them is given; fewer than `ENOUGH` where few are."""
    chance = random.Random(seed)
    found: dict[Problem, None] = {}
    for _ in range(DRAWN):
        problem = drawn(chance, dtype)
        if problem.slots() <= LARGEST and unsupported(problem) is None:
            found[problem] = None
        if len(found) == ENOUGH:
            break
    return list(found)


def drawn(chance: random.Random, dtype: str) -> Problem:
    """Several blocks and a halo most of the time; what many implementations ask for, half of the time."""
    often = chance.random() < 0.5  # whole blocks, values as wide as keys, usual sizes
    block = chance.choice((4, 7, 8)) if often else chance.randint(1, 8)
    sides = [block * chance.randint(1, 3) + (0 if often else chance.randint(0, block - 1)) for _ in "yx"]
    position = chance.choice(CHOICES["position"])
    dim_qk = chance.choice((16, 32)) if often else chance.randint(1, 20)
    return Problem(
        height=sides[0],
        width=sides[1],
        block=block,
        halo=chance.randint(0, 4),
        stride=chance.choice([1, 1, *(stride for stride in range(1, block + 1) if block % stride == 0)]),
        batch=chance.randint(1, 2),
        heads=chance.randint(1, 3),
        dim_qk=dim_qk + (dim_qk % 2 if position == "split" else 0),
        dim_v=dim_qk if often else chance.randint(1, 20),
        border=chance.choice(CHOICES["border"]),
        position=position,
        offset=chance.choice(CHOICES["offset"]),
        scale=chance.choice((None, None, -0.7, 0.3)),
        position_scale=chance.choice((1.0, 1.0, 0.5, -1.3)),
        dtype=dtype,
    )


def telling(problem: Problem) -> bool:
    """Whether it has several blocks and a halo: what halo attention is about."""
    return problem.halo > 0 and max(problem.grid) > 1
