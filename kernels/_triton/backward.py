"""The backward kernels of `triton_fused`: of each tile of queries, then the sum over the windows of a key."""

import triton
import triton.language as tl

from .device_functions import (
    both_relative,
    divide,
    logits,
    offsets,
    one_hot,
    outside,
    place,
    reciprocal,
    rows,
    span,
    start,
    weights,
)


@triton.jit
def _step(
    b_q, b_y, b_x, b_do, b_lse, b_delta, b_dq, b_dy, b_dx, p_k, p_v, p_eye, p_unit, p_part_k, p_part_v,
    i_start, n_slots, n_x, inverse, skip_y, skip_x, s_ky, s_kx, s_kd, s_vy, s_vx, s_vd,
    SIZE: tl.constexpr, MASKED: tl.constexpr, C: tl.constexpr, PRE: tl.constexpr, POSITION: tl.constexpr,
    DIM: tl.constexpr, DIM_V: tl.constexpr, D: tl.constexpr, DV: tl.constexpr, ROWS: tl.constexpr,
    LIVE: tl.constexpr, ACC: tl.constexpr, PRECISION: tl.constexpr, UNIT: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Weights again, from the log-sum-exp; what this tile adds to the gradients of its keys and values."""
    o_n = i_start + tl.arange(0, SIZE)
    o_y = divide(o_n, inverse)
    o_x = o_n - o_y * n_x
    m_n = o_n < n_slots
    b_k = rows(p_k, offsets(o_y, s_ky, o_x, s_kx, UNIT, WIDE), s_kd, m_n, DIM, D, MASKED, WIDE)  # [slot D]
    b_v = rows(
        p_v, offsets(o_y, s_vy, o_x, s_vx, UNIT, WIDE), s_vd, m_n, DIM_V, DV, MASKED, WIDE
    )  # [slot DV]
    i_y = tl.minimum(o_y + skip_y, ROWS - 1) if MASKED else o_y + skip_y
    i_x = o_x + skip_x
    b_ey, b_ex, b_uy, b_ux = b_k, b_k, b_k, b_k
    if POSITION:
        b_ey, b_ex = one_hot(p_eye, i_y, ROWS, ROWS), one_hot(p_eye, i_x, ROWS, ROWS)
        b_uy, b_ux = one_hot(p_unit, i_y, ROWS, LIVE), one_hot(p_unit, i_x, ROWS, LIVE)
    b_s = logits(b_q, b_y, b_x, b_k, b_ey, b_ex, POSITION, ACC, PRECISION)
    if MASKED:
        b_s = tl.where(m_n[None, :], b_s, float("-inf"))
    b_p = weights(b_s, b_lse, C, PRE)
    b_dp = tl.dot(b_do, tl.trans(b_v), input_precision=PRECISION, out_dtype=ACC)
    b_ds = (b_p * (b_dp - b_delta[:, None])).to(b_q.dtype)
    b_dq = tl.dot(b_ds, b_k, b_dq, input_precision=PRECISION, out_dtype=ACC)
    if POSITION:
        b_dy = tl.dot(b_ds, b_uy, b_dy, input_precision=PRECISION, out_dtype=ACC)
        b_dx = tl.dot(b_ds, b_ux, b_dx, input_precision=PRECISION, out_dtype=ACC)
    b_dk = tl.dot(tl.trans(b_ds), b_q, input_precision=PRECISION, out_dtype=ACC)
    b_dv = tl.dot(tl.trans(b_p.to(b_do.dtype)), b_do, input_precision=PRECISION, out_dtype=ACC)
    o_d, o_v = tl.arange(0, D)[None, :], tl.arange(0, DV)[None, :]
    b_dk, b_dv = b_dk.to(p_part_k.dtype.element_ty), b_dv.to(p_part_v.dtype.element_ty)
    tl.store(p_part_k + o_n[:, None] * DIM + o_d, b_dk, mask=m_n[:, None] & (o_d < DIM))
    tl.store(p_part_v + o_n[:, None] * DIM_V + o_v, b_dv, mask=m_n[:, None] & (o_v < DIM_V))
    return b_dq, b_dy, b_dx


@triton.jit
def _to_table(
    b_q, b_d, p_table, p_unit, p_part, i_first, OUTER: tl.constexpr, INNER: tl.constexpr, FIRST: tl.constexpr,
    DIM_REL: tl.constexpr, STEP: tl.constexpr, WINDOW: tl.constexpr, D: tl.constexpr,
    LIVE: tl.constexpr, ROWS: tl.constexpr, SCALE: tl.constexpr, ACC: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """From [query ROWS], `OUTER` x `INNER` queries: adds to a partial sum of a table's gradient, returns dq.

    What a query has in a row of its window belongs to the table's row of their distance: a product with
    rows of the identity for each of the OUTER rows or columns of queries puts it there.
    """
    i_start = WINDOW - 1 - STEP * (i_first + OUTER - 1)  # the first row of the table that occurs
    o_outer, o_w, o_live, o_d = tl.arange(0, OUTER), tl.arange(0, ROWS), tl.arange(0, LIVE), tl.arange(0, D)
    o_row = o_w[None, :] + STEP * (OUTER - 1 - o_outer)[:, None]  # [OUTER ROWS]
    o_row = tl.minimum(o_row, LIVE - 1)  # beyond the window, where there are zeros
    b_skew = tl.load(p_unit + o_row[:, :, None] * LIVE + o_live[None, None, :])
    b_d = tl.reshape(b_d.to(b_q.dtype), [OUTER, INNER, ROWS])
    b_live = tl.dot(b_d, b_skew, input_precision=PRECISION, out_dtype=ACC).to(b_q.dtype)
    b_live = tl.reshape(b_live, [OUTER * INNER, LIVE])
    m_row = (i_start + o_live >= 0) & (i_start + o_live < 2 * WINDOW - 1)
    m = m_row[:, None] & ((o_d >= FIRST) & (o_d < FIRST + DIM_REL))[None, :]
    o_table = (i_start + o_live)[:, None] * DIM_REL + (o_d - FIRST)[None, :]
    b_table = tl.load(p_table + o_table, mask=m, other=0.0)  # [LIVE D]
    b_part = tl.dot(tl.trans(b_live), b_q, input_precision=PRECISION, out_dtype=ACC)
    tl.store(p_part + o_table, b_part * SCALE, mask=m)
    return tl.dot(b_live, b_table, input_precision=PRECISION, out_dtype=ACC)


@triton.jit
def halo_bwd(
    p_q, p_k, p_v, p_height, p_width, p_eye, p_unit, p_out, p_lse, p_do, p_dq, p_part_k, p_part_v, p_part_r,
    HEADS, Y, X, QY, QX, GRID_Y, GRID_X, SLOTS,
    s_qb, s_qn, s_qy, s_qx, s_qd, s_kb, s_kn, s_ky, s_kx, s_kd,
    s_vb, s_vn, s_vy, s_vx, s_vd, s_ob, s_on, s_oy, s_ox, s_od,
    s_gb, s_gn, s_gy, s_gx, s_gd, s_db, s_dn, s_dy, s_dx, s_dd,
    C: tl.constexpr, PRE: tl.constexpr, REL: tl.constexpr, SCALE: tl.constexpr, POSITION_SCALE: tl.constexpr,
    BLOCK: tl.constexpr, HALO: tl.constexpr, STRIDE: tl.constexpr, STEP: tl.constexpr, ZERO: tl.constexpr,
    POSITION: tl.constexpr, FIRST_X: tl.constexpr, DIM_REL: tl.constexpr, DIM: tl.constexpr,
    DIM_V: tl.constexpr, D: tl.constexpr, DV: tl.constexpr, ROWS: tl.constexpr, LIVE: tl.constexpr,
    TY: tl.constexpr, TX: tl.constexpr, CHUNK: tl.constexpr, EACH: tl.constexpr, ACC: tl.constexpr,
    TABLE: tl.constexpr, PRECISION: tl.constexpr, UNIT: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    SIDE: tl.constexpr = BLOCK // STRIDE
    WINDOW: tl.constexpr = BLOCK + 2 * HALO
    TILE: tl.constexpr = TY * TX
    TILES: tl.constexpr = ((SIDE + TX - 1) // TX) * ((SIDE + TY - 1) // TY)
    i_program = tl.program_id(0)
    i_b, i_head, i_by, i_bx, i_a, i_c = place(i_program, HEADS // EACH, GRID_Y, GRID_X, SIDE, TY, TX)
    i_head *= EACH
    i_part = (i_program // TILES * (EACH * TILES) + i_program % TILES).to(tl.int64)
    i_qy, i_qx = i_by * SIDE + i_a, i_bx * SIDE + i_c
    n_qy, n_qx = tl.minimum(SIDE - i_a, QY - i_qy), tl.minimum(SIDE - i_c, QX - i_qx)
    o_qy, o_qx = tl.arange(0, TILE) // TX, tl.arange(0, TILE) % TX
    m_q = (o_qy < n_qy) & (o_qx < n_qx)
    p_q += start(i_b, i_head, i_qy, i_qx, s_qb, s_qn, s_qy, s_qx, UNIT)
    p_do += start(i_b, i_head, i_qy, i_qx, s_gb, s_gn, s_gy, s_gx, UNIT)
    p_out += start(i_b, i_head, i_qy, i_qx, s_ob, s_on, s_oy, s_ox, UNIT)
    p_lse += ((i_b * HEADS + i_head) * QY + i_qy) * QX + i_qx
    o_y, n_y, skip_y = span(i_by, Y, BLOCK, HALO)
    o_x, n_x, skip_x = span(i_bx, X, BLOCK, HALO)
    n_slots, inverse = n_y * n_x, reciprocal(n_x)
    p_k += start(i_b, i_head, o_y, o_x, s_kb, s_kn, s_ky, s_kx, UNIT)
    p_v += start(i_b, i_head, o_y, o_x, s_vb, s_vn, s_vy, s_vx, UNIT)
    p_part_k += i_part * SLOTS * DIM
    p_part_v += i_part * SLOTS * DIM_V
    p_dq += start(i_b, i_head, i_qy, i_qx, s_db, s_dn, s_dy, s_dx, UNIT)
    p_part_r += i_part * (2 * (2 * WINDOW - 1) * DIM_REL)
    n_full = n_slots // CHUNK * CHUNK
    for _ in range(EACH):
        b_q = rows(
            p_q, offsets(o_qy, s_qy, o_qx, s_qx, UNIT, WIDE), s_qd, m_q, DIM, D, True, WIDE
        )  # [query D]
        b_do = rows(p_do, offsets(o_qy, s_gy, o_qx, s_gx, UNIT, WIDE), s_gd, m_q, DIM_V, DV, True, WIDE)
        b_out = rows(p_out, offsets(o_qy, s_oy, o_qx, s_ox, UNIT, WIDE), s_od, m_q, DIM_V, DV, True, WIDE)
        b_delta = tl.sum(b_do.to(ACC) * b_out.to(ACC), 1)
        b_lse = tl.load(p_lse + o_qy * QX + o_qx, mask=m_q, other=float("inf"))  # weights of 0 beyond
        b_y, b_x = b_q, b_q
        if POSITION:
            b_y, b_x = both_relative(
                p_q, p_height, p_width, i_a, i_c, n_qy, n_qx, s_qy, s_qx, s_qd, REL, FIRST_X, DIM_REL, STEP,
                WINDOW, TY, TX, D, DIM, ROWS, ACC, TABLE, PRECISION, UNIT, WIDE,
            )  # fmt: skip
        b_dq = tl.zeros([TILE, D], ACC)
        b_dy = tl.zeros([TILE, ROWS], ACC)
        b_dx = tl.zeros([TILE, ROWS], ACC)
        for i_start in range(0, n_full, CHUNK):
            b_dq, b_dy, b_dx = _step(
                b_q, b_y, b_x, b_do, b_lse, b_delta, b_dq, b_dy, b_dx, p_k, p_v, p_eye, p_unit, p_part_k,
                p_part_v, i_start, n_slots, n_x, inverse, skip_y, skip_x, s_ky, s_kx, s_kd, s_vy, s_vx, s_vd,
                CHUNK, False, C, PRE, POSITION, DIM, DIM_V, D, DV, ROWS, LIVE, ACC, PRECISION, UNIT, WIDE,
            )  # fmt: skip
        for i_start in range(n_full, n_slots, 16):
            b_dq, b_dy, b_dx = _step(
                b_q, b_y, b_x, b_do, b_lse, b_delta, b_dq, b_dy, b_dx, p_k, p_v, p_eye, p_unit, p_part_k,
                p_part_v, i_start, n_slots, n_x, inverse, skip_y, skip_x, s_ky, s_kx, s_kd, s_vy, s_vx, s_vd,
                16, True, C, PRE, POSITION, DIM, DIM_V, D, DV, ROWS, LIVE, ACC, PRECISION, UNIT, WIDE,
            )  # fmt: skip
        b_dq *= SCALE
        if POSITION:
            if ZERO:
                if n_slots < WINDOW * WINDOW:  # slots outside the map: dp is 0, so ds = -p delta
                    b_r1, b_c1, b_top1, b_r2, b_c2, b_top2 = outside(
                        b_y, b_x, skip_y, n_y, skip_x, n_x, WINDOW, ROWS, ACC, C, PRE
                    )
                    b_1 = tl.exp2((b_top1 - b_lse) * (C / PRE)) * b_delta
                    b_2 = tl.exp2((b_top2 - b_lse) * (C / PRE)) * b_delta
                    b_dy -= b_r1 * (tl.sum(b_c1, 1) * b_1)[:, None] + b_r2 * (tl.sum(b_c2, 1) * b_2)[:, None]
                    b_dx -= b_c1 * (tl.sum(b_r1, 1) * b_1)[:, None] + b_c2 * (tl.sum(b_r2, 1) * b_2)[:, None]
            b_more = _to_table(
                b_q, b_dy, p_height, p_unit, p_part_r, i_a, TY, TX, 0, DIM_REL, STEP, WINDOW, D,
                LIVE, ROWS, POSITION_SCALE, ACC, PRECISION,
            )  # fmt: skip
            b_qx = tl.reshape(tl.permute(tl.reshape(b_q, [TY, TX, D]), (1, 0, 2)), [TILE, D])
            b_dx = tl.reshape(tl.permute(tl.reshape(b_dx, [TY, TX, ROWS]), (1, 0, 2)), [TILE, ROWS])
            b_across = _to_table(
                b_qx, b_dx, p_width, p_unit, p_part_r + (2 * WINDOW - 1) * DIM_REL, i_c, TX, TY,
                FIRST_X, DIM_REL, STEP, WINDOW, D, LIVE, ROWS, POSITION_SCALE, ACC, PRECISION,
            )  # fmt: skip
            b_across = tl.reshape(tl.permute(tl.reshape(b_across, [TX, TY, D]), (1, 0, 2)), [TILE, D])
            b_dq += (b_more + b_across) * POSITION_SCALE
        o_d = tl.arange(0, D)
        o_channel = o_d.to(tl.int64) * s_dd if WIDE else o_d * s_dd
        o_dq = offsets(o_qy, s_dy, o_qx, s_dx, UNIT, WIDE)[:, None] + o_channel[None, :]
        tl.store(p_dq + o_dq, b_dq.to(p_dq.dtype.element_ty), mask=m_q[:, None] & (o_d < DIM)[None, :])
        p_q += tl.cast(s_qn, tl.int64) * UNIT
        p_k += tl.cast(s_kn, tl.int64) * UNIT
        p_v += tl.cast(s_vn, tl.int64) * UNIT
        p_out += tl.cast(s_on, tl.int64) * UNIT
        p_do += tl.cast(s_gn, tl.int64) * UNIT
        p_dq += tl.cast(s_dn, tl.int64) * UNIT
        p_lse += QY * QX
        p_part_k += TILES * SLOTS * DIM
        p_part_v += TILES * SLOTS * DIM_V
        p_part_r += TILES * (2 * (2 * WINDOW - 1) * DIM_REL)


@triton.jit
def fold(
    p_part, p_d, HEADS, Y, X, GRID_Y, GRID_X, SLOTS, s_b, s_n, s_y, s_x, s_d,
    FACTOR: tl.constexpr, BLOCK: tl.constexpr, HALO: tl.constexpr, TILES: tl.constexpr, DIM: tl.constexpr,
    D: tl.constexpr, KEYS: tl.constexpr, ACC: tl.constexpr, UNIT: tl.constexpr,
):  # fmt: skip
    """A key's gradient: what every window that holds it has for it, in the order of the windows."""
    WINDOW: tl.constexpr = BLOCK + 2 * HALO
    COVER: tl.constexpr = (WINDOW + BLOCK - 1) // BLOCK  # windows along an axis that can hold a key
    groups = (Y * X + KEYS - 1) // KEYS
    i_map, i_group = tl.program_id(0) // groups, tl.program_id(0) % groups
    i_b, i_head = (i_map // HEADS).to(tl.int64), (i_map % HEADS).to(tl.int64)
    o_key = i_group * KEYS + tl.arange(0, KEYS)
    o_y, o_x, o_d = o_key // X, o_key % X, tl.arange(0, D)
    b_sum = tl.zeros([KEYS, D], ACC)
    for i in range(COVER * COVER):
        i_by, i_bx = (o_y + HALO) // BLOCK - i // COVER, (o_x + HALO) // BLOCK - i % COVER
        o_top, o_left = i_by * BLOCK - HALO, i_bx * BLOCK - HALO
        m = (i_by >= 0) & (i_by < GRID_Y) & (i_bx >= 0) & (i_bx < GRID_X) & (o_key < Y * X)
        m = m & (o_y < o_top + WINDOW) & (o_x < o_left + WINDOW)
        n_x = tl.minimum(o_left + WINDOW, X) - tl.maximum(o_left, 0)
        o_n = (o_y - tl.maximum(o_top, 0)) * n_x + o_x - tl.maximum(o_left, 0)
        i_window = ((i_b * GRID_Y + i_by) * GRID_X + i_bx) * HEADS + i_head
        for i_tile in range(TILES):
            o_part = ((i_window * TILES + i_tile) * SLOTS + o_n)[:, None] * DIM + o_d[None, :]
            b_sum += tl.load(p_part + o_part, mask=m[:, None] & (o_d < DIM)[None, :], other=0.0).to(ACC)
    o_out = start(i_b, i_head, o_y, o_x, s_b, s_n, s_y, s_x, UNIT)
    p_d += o_out[:, None] + o_d.to(tl.int64)[None, :] * s_d
    m_out = (o_key < Y * X)[:, None] & (o_d < DIM)[None, :]
    tl.store(p_d, (b_sum * FACTOR).to(p_d.dtype.element_ty), mask=m_out)
