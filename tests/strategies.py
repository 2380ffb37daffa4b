"""Problems of hypothesis: every option of `docs/semantics.md`, at sizes that take a few milliseconds."""

from typing import get_args

from hypothesis import strategies as st

from halobench.attention import Problem
from halobench.attention.problem import CHOICES
from halobench.axes import Layout

SIZES, BLOCKS, HALOS = st.integers(1, 20), st.integers(1, 8), st.integers(0, 6)
DIMS = st.integers(1, 20)
MODERATE = (0.0, -0.7, 1e-3, 1e-30, -1.0, 1.0)  # logits stay far from where their softmax is a single one
SCALES = st.sampled_from((*MODERATE, 3.0, -8.0))
LARGEST = 400_000  # query-slot pairs: an implementation that gathers takes a few milliseconds


def strides(block):
    """Every stride that divides a block."""
    return st.sampled_from([stride for stride in range(1, block + 1) if block % stride == 0])


@st.composite
def problems(draw, dtypes=CHOICES["dtype"], scales=SCALES, least_batch=0, dims=DIMS):
    """A problem; halves of `dim_qk` where the position needs them."""
    block, position = draw(BLOCKS), draw(st.sampled_from(CHOICES["position"]))
    problem = Problem(
        height=draw(SIZES),
        width=draw(SIZES),
        block=block,
        halo=draw(HALOS),
        stride=draw(strides(block)),
        batch=draw(st.integers(least_batch, 2)),
        heads=draw(st.integers(1, 3)),
        dim_qk=draw(dims.map(lambda dim: dim + dim % 2) if position == "split" else dims),
        dim_v=draw(dims),
        border=draw(st.sampled_from(CHOICES["border"])),
        position=position,
        offset=draw(st.sampled_from(CHOICES["offset"])),
        scale=draw(st.none() | scales),
        position_scale=draw(st.just(1.0) | scales),
        dtype=draw(st.sampled_from(dtypes)),
    )
    return problem if problem.slots() <= LARGEST else draw(problems(dtypes, scales, least_batch, dims))


layouts = st.sampled_from(get_args(Layout))
seeds = st.integers(0, 2**20)
