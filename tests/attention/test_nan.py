"""How far one NaN reaches, as docs/semantics.md says."""

import pytest

from halobench.attention import Problem, oracle
from halobench.attention.implementation import IMPLEMENTATIONS

PROBLEM = Problem(height=16, width=16, block=4, halo=1)
OURS = ("naive_global", "unfold_local", "haloed_blocked", "haloed_chunked", "sdpa_blocked")


def spoilt(attend, name, y, x):
    """Rows and columns of the queries that are NaN after one number of an input is."""
    given = oracle.inputs(PROBLEM)
    given.tensors[name][0, 0, y, x, 0] = float("nan")
    out = attend(given.q, given.k, given.v, None, PROBLEM)
    found = out.isnan().any(-1)[0, 0].nonzero().tolist()
    return {(row, column) for row, column in found}


def square(rows, columns):
    return {(row, column) for row in rows for column in columns}


@pytest.mark.parametrize("name", [*OURS, "the oracle"])
def test_a_nan_reaches_the_windows_that_it_is_in(name):
    attend = oracle.attend if name == "the oracle" else IMPLEMENTATIONS[name].attend
    assert spoilt(attend, "q", 5, 6) == {(5, 6)}
    assert spoilt(attend, "k", 5, 6) == square(range(4, 8), range(4, 8))  # its own block
    assert spoilt(attend, "k", 4, 6) == square(range(8), range(4, 8))  # and the block above, by its halo
    everywhere = square(range(16), range(16))
    expected = everywhere if name == "naive_global" else square(range(8), range(4, 8))
    assert spoilt(attend, "v", 4, 6) == expected
