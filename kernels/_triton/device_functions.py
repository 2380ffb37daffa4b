"""What the Triton kernels share: where things lie, and the relative logits of a tile of queries.

Sizes in capitals are known when a kernel is compiled; `D`, `DV` and `ROWS` are powers of two that hold
the channels of queries and values and the slots along an axis of the window, `DIM`, `DIM_V` and `WINDOW`
what is used of them. Only slots inside the map are visited: those of a block, row by row, are numbered
from 0, and a slot's row is its number over the slots in a row.
"""

import triton
import triton.language as tl


@triton.jit
def place(i, HEADS, GRID_Y, GRID_X, SIDE: tl.constexpr, TY: tl.constexpr, TX: tl.constexpr):
    """Batch, head, block row and column, and the first query row and column of a tile in its block."""
    TILES_X: tl.constexpr = (SIDE + TX - 1) // TX
    TILES: tl.constexpr = TILES_X * ((SIDE + TY - 1) // TY)
    i_tile = i % TILES
    i = i // TILES
    i_head = i % HEADS
    i = i // HEADS
    i_bx = i % GRID_X
    i = i // GRID_X
    i_a, i_c = i_tile // TILES_X * TY, i_tile % TILES_X * TX
    return (i // GRID_Y).to(tl.int64), i_head.to(tl.int64), i % GRID_Y, i_bx, i_a, i_c


@triton.jit
def span(i_block, SIZE, BLOCK: tl.constexpr, HALO: tl.constexpr):
    """Along an axis: the first position of a window inside the map, how many there are, how many before."""
    o_window = i_block * BLOCK - HALO
    o_first = tl.maximum(o_window, 0)
    n = tl.minimum(o_window + BLOCK + 2 * HALO, SIZE) - o_first
    return o_first, n, o_first - o_window


@triton.jit
def start(i_b, i_head, i_y, i_x, s_b, s_n, s_y, s_x, UNIT: tl.constexpr):
    """Of a position's channels, in 64 bits; batch and head are in 64 bits already."""
    return (i_b * s_b + i_head * s_n + i_y.to(tl.int64) * s_y + i_x.to(tl.int64) * s_x) * UNIT


@triton.jit
def reciprocal(n):
    """2**20 / n, rounded up: for `divide`."""
    return (1048575 + n) // n


@triton.jit
def divide(o, reciprocal):
    """o // n, exact where o * n < 2**20: more than the slots of the widest window times those of a row."""
    return (o * reciprocal) >> 20


@triton.jit
def offsets(o_y, s_y, o_x, s_x, UNIT: tl.constexpr, WIDE: tl.constexpr):
    """In 64 bits where a window is so wide in memory that it needs them."""
    if WIDE:
        return (o_y.to(tl.int64) * s_y + o_x.to(tl.int64) * s_x) * UNIT
    return (o_y * s_y + o_x * s_x) * UNIT


@triton.jit
def rows(p, o_row, s_d, m_row, DIM: tl.constexpr, D: tl.constexpr, MASKED: tl.constexpr, WIDE: tl.constexpr):
    """[row D], zero beyond `DIM` channels and, if `MASKED`, where `m_row` says so."""
    o_d = tl.arange(0, D)
    if WIDE:
        o_d = o_d.to(tl.int64)
    p_rows = p + o_row[:, None] + (o_d * s_d)[None, :]
    if D == DIM:
        if MASKED:
            return tl.load(p_rows, mask=m_row[:, None], other=0.0)
        return tl.load(p_rows)
    m = (o_d < DIM)[None, :]
    if MASKED:
        m = m & m_row[:, None]
    return tl.load(p_rows, mask=m, other=0.0)


@triton.jit
def relative(
    p_q, p_table, i_first, s_outer, s_inner, s_d, m_outer, m_inner,
    OUTER: tl.constexpr, INNER: tl.constexpr, D: tl.constexpr, DIM: tl.constexpr,
    FIRST: tl.constexpr, DIM_REL: tl.constexpr, STEP: tl.constexpr, WINDOW: tl.constexpr,
    ROWS: tl.constexpr, ACC: tl.constexpr, PRECISION: tl.constexpr, UNIT: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """[OUTER INNER ROWS]: q.r of every slot along the axis of which `OUTER` counts the queries."""
    o_d, o_w, o_outer, o_inner = tl.arange(0, D), tl.arange(0, ROWS), tl.arange(0, OUTER), tl.arange(0, INNER)
    m = (m_outer[:, None] & m_inner[None, :])[:, :, None] & (o_d < DIM)[None, None, :]
    o_channel = o_d.to(tl.int64) * s_d if WIDE else o_d * s_d
    o_q = offsets(o_outer[:, None], s_outer, o_inner[None, :], s_inner, UNIT, WIDE)
    b_q = tl.load(p_q + o_q[:, :, None] + o_channel[None, None, :], mask=m, other=0.0)  # [OUTER INNER D]
    o_row = o_w[None, :] - STEP * (i_first + o_outer)[:, None] + WINDOW - 1
    m_row = (o_row >= 0) & (o_row < 2 * WINDOW - 1)
    m_d = (o_d >= FIRST) & (o_d < FIRST + DIM_REL)
    o_table = o_row[:, :, None] * DIM_REL + (o_d - FIRST)[None, None, :]
    m = m_row[:, :, None] & m_d[None, None, :]
    b_table = tl.load(p_table + o_table, mask=m, other=0.0)  # [OUTER ROWS D]
    return tl.dot(b_q, tl.permute(b_table, (0, 2, 1)), input_precision=PRECISION, out_dtype=ACC)


@triton.jit
def both_relative(
    p_q, p_height, p_width, i_a, i_c, n_y, n_x, s_y, s_x, s_d, REL: tl.constexpr, FIRST_X: tl.constexpr,
    DIM_REL: tl.constexpr, STEP: tl.constexpr, WINDOW: tl.constexpr, TY: tl.constexpr, TX: tl.constexpr,
    D: tl.constexpr, DIM: tl.constexpr, ROWS: tl.constexpr, ACC: tl.constexpr, TABLE: tl.constexpr,
    PRECISION: tl.constexpr, UNIT: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """[query ROWS] twice: the relative logits of the window's rows and of its columns, in units of q.k."""
    m_y, m_x = tl.arange(0, TY) < n_y, tl.arange(0, TX) < n_x
    b_y = relative(
        p_q, p_height, i_a, s_y, s_x, s_d, m_y, m_x,
        TY, TX, D, DIM, 0, DIM_REL, STEP, WINDOW, ROWS, ACC, PRECISION, UNIT, WIDE,
    )  # fmt: skip
    b_x = relative(
        p_q, p_width, i_c, s_x, s_y, s_d, m_x, m_y,
        TX, TY, D, DIM, FIRST_X, DIM_REL, STEP, WINDOW, ROWS, ACC, PRECISION, UNIT, WIDE,
    )  # fmt: skip
    b_y, b_x = narrow(b_y * REL, TABLE), tl.permute(narrow(b_x * REL, TABLE), (1, 0, 2))
    return tl.reshape(b_y, [TY * TX, ROWS]), tl.reshape(b_x, [TY * TX, ROWS])


@triton.jit
def narrow(b, TABLE: tl.constexpr):
    """Half precision has more digits than bfloat16, and ends at 65504: clamped well before, two a time."""
    b = b.to(TABLE)
    if tl.float16 == TABLE:
        b = tl.clamp(b, tl.full([1, 1, 1], -30000.0, tl.float16), tl.full([1, 1, 1], 30000.0, tl.float16))
    return b


@triton.jit
def one_hot(p_eye, i, ROWS: tl.constexpr, SIZE: tl.constexpr):
    """[len(i) ROWS]: rows of an identity of `SIZE`, loaded: to compare and select takes more instructions."""
    return tl.load(p_eye + i[:, None] * SIZE + tl.arange(0, ROWS)[None, :])


@triton.jit
def logits(
    b_q, b_y, b_x, b_k, b_ey, b_ex, POSITION: tl.constexpr, ACC: tl.constexpr, PRECISION: tl.constexpr
):
    """[query slot] in units of q.k: a product with keys, and two that put the relative logits in place."""
    b_s = tl.dot(b_q, tl.trans(b_k), input_precision=PRECISION, out_dtype=ACC)
    if POSITION:
        b_s = tl.dot(b_y, tl.trans(b_ey), b_s, input_precision=PRECISION, out_dtype=ACC)
        b_s = tl.dot(b_x, tl.trans(b_ex), b_s, input_precision=PRECISION, out_dtype=ACC)
    return b_s


@triton.jit
def weights(b_s, b_from, C: tl.constexpr, PRE: tl.constexpr):
    """[query slot]: exponentials of logits in units of q.k, less what is `PRE` times such units.

    With `PRE` = C a logit costs one multiply-add, which rounds a large reference before it is taken away:
    good enough for half precision. With `PRE` = 1 the difference of large numbers comes first, and is exact.
    """
    return tl.exp2((b_s * PRE - b_from[:, None]) * (C / PRE))


@triton.jit
def outside(
    b_y, b_x, skip_y, n_y, skip_x, n_x, WINDOW: tl.constexpr, ROWS: tl.constexpr, ACC: tl.constexpr,
    C: tl.constexpr, PRE: tl.constexpr,
):  # fmt: skip
    """`factors` of slots outside the map: of whole rows, and of what is outside in the other rows."""
    o_w = tl.arange(0, ROWS)
    b_y, b_x = b_y.to(ACC), b_x.to(ACC)
    m_y = (o_w >= skip_y) & (o_w < skip_y + n_y)
    m_x = (o_w >= skip_x) & (o_w < skip_x + n_x)
    b_r1, b_c1, b_top1 = factors(b_y, b_x, (o_w < WINDOW) & (m_y == 0), o_w < WINDOW, C, PRE)
    b_r2, b_c2, b_top2 = factors(b_y, b_x, m_y, (o_w < WINDOW) & (m_x == 0), C, PRE)
    return b_r1, b_c1, b_top1, b_r2, b_c2, b_top2


@triton.jit
def factors(b_y, b_x, m_y, m_x, C: tl.constexpr, PRE: tl.constexpr):
    """Exponentials of rows and of columns where the masks are, 0 elsewhere, and what was taken from both.

    exp2(C * (y + x)) of a rectangle of slots outside the map is row * column * exp2(top * C / PRE).
    """
    b_top_y = tl.max(tl.where(m_y[None, :], b_y, -1e30), 1)
    b_top_x = tl.max(tl.where(m_x[None, :], b_x, -1e30), 1)
    b_rows = tl.exp2(tl.where(m_y[None, :], (b_y - b_top_y[:, None]) * C, float("-inf")))
    b_columns = tl.exp2(tl.where(m_x[None, :], (b_x - b_top_x[:, None]) * C, float("-inf")))
    return b_rows, b_columns, (b_top_y + b_top_x) * PRE
