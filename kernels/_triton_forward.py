"""The forward kernel of `triton_fused`."""

import triton  # type: ignore[import-untyped]
import triton.language as tl  # type: ignore[import-untyped]

from ._triton_parts import both_relative, divide, factors, logits, offsets, place, reciprocal, rows, span


@triton.jit  # type: ignore[untyped-decorator]
def _step(  # type: ignore[no-untyped-def]
    b_q, b_y, b_x, b_top, b_sum, b_acc, p_k, p_v, p_eye, i_start, n_slots, n_x, inverse, skip_y, skip_x,
    s_ky, s_kx, s_kd, s_vy, s_vx, s_vd,
    SIZE: tl.constexpr, MASKED: tl.constexpr, C: tl.constexpr, POSITION: tl.constexpr, DIM: tl.constexpr,
    DIM_V: tl.constexpr, D: tl.constexpr, DV: tl.constexpr, ROWS: tl.constexpr, ACC: tl.constexpr,
    PRECISION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Online softmax over the slots `i_start .. i_start + SIZE`."""
    o_n = i_start + tl.arange(0, SIZE)
    o_y = divide(o_n, inverse)
    o_x = o_n - o_y * n_x
    m_n = o_n < n_slots
    b_k = rows(p_k, offsets(o_y, s_ky, o_x, s_kx, WIDE), s_kd, m_n, DIM, D, MASKED, WIDE)  # [slot D]
    b_v = rows(p_v, offsets(o_y, s_vy, o_x, s_vx, WIDE), s_vd, m_n, DIM_V, DV, MASKED, WIDE)  # [slot DV]
    i_y = tl.minimum(o_y + skip_y, ROWS - 1) if MASKED else o_y + skip_y
    b_s = logits(b_q, b_y, b_x, b_k, p_eye, i_y, o_x + skip_x, m_n, POSITION, ROWS, MASKED, ACC, PRECISION)
    b_new = tl.maximum(b_top, tl.max(b_s, 1))
    b_p = tl.exp2(b_s * C - (b_new * C)[:, None])
    b_old = tl.exp2((b_top - b_new) * C)
    b_acc = tl.dot(b_p.to(b_v.dtype), b_v, b_acc * b_old[:, None], input_precision=PRECISION, out_dtype=ACC)
    return b_new, b_sum * b_old + tl.sum(b_p, 1), b_acc


@triton.jit  # type: ignore[untyped-decorator]
def halo_fwd(  # type: ignore[no-untyped-def]
    p_q, p_k, p_v, p_height, p_width, p_eye, p_out, p_lse, HEADS, Y, X, QY, QX, GRID_Y, GRID_X,
    s_qb, s_qn, s_qy, s_qx, s_qd, s_kb, s_kn, s_ky, s_kx, s_kd,
    s_vb, s_vn, s_vy, s_vx, s_vd, s_ob, s_on, s_oy, s_ox, s_od,
    C: tl.constexpr, REL: tl.constexpr, BLOCK: tl.constexpr, HALO: tl.constexpr, STRIDE: tl.constexpr,
    STEP: tl.constexpr, ZERO: tl.constexpr, POSITION: tl.constexpr, FIRST_X: tl.constexpr,
    DIM_REL: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr, D: tl.constexpr, DV: tl.constexpr,
    ROWS: tl.constexpr, TY: tl.constexpr, TX: tl.constexpr, CHUNK: tl.constexpr, ACC: tl.constexpr,
    TABLE: tl.constexpr, PRECISION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    SIDE: tl.constexpr = BLOCK // STRIDE
    WINDOW: tl.constexpr = BLOCK + 2 * HALO
    TILE: tl.constexpr = TY * TX
    i_b, i_head, i_by, i_bx, i_a, i_c = place(tl.program_id(0), HEADS, GRID_Y, GRID_X, SIDE, TY, TX)
    i_qy, i_qx = i_by * SIDE + i_a, i_bx * SIDE + i_c
    n_qy, n_qx = tl.minimum(SIDE - i_a, QY - i_qy), tl.minimum(SIDE - i_c, QX - i_qx)
    o_qy, o_qx = tl.arange(0, TILE) // TX, tl.arange(0, TILE) % TX
    m_q = (o_qy < n_qy) & (o_qx < n_qx)
    p_q += i_b * s_qb + i_head * s_qn + i_qy.to(tl.int64) * s_qy + i_qx.to(tl.int64) * s_qx
    b_q = rows(p_q, offsets(o_qy, s_qy, o_qx, s_qx, WIDE), s_qd, m_q, DIM, D, True, WIDE)  # [query D]
    o_y, n_y, skip_y = span(i_by, Y, BLOCK, HALO)
    o_x, n_x, skip_x = span(i_bx, X, BLOCK, HALO)
    n_slots, inverse = n_y * n_x, reciprocal(n_x)
    p_k += i_b * s_kb + i_head * s_kn + o_y.to(tl.int64) * s_ky + o_x.to(tl.int64) * s_kx
    p_v += i_b * s_vb + i_head * s_vn + o_y.to(tl.int64) * s_vy + o_x.to(tl.int64) * s_vx
    b_y, b_x = b_q, b_q
    if POSITION:
        b_y, b_x = both_relative(
            p_q, p_height, p_width, i_a, i_c, n_qy, n_qx, s_qy, s_qx, s_qd, REL, FIRST_X, DIM_REL, STEP,
            WINDOW, TY, TX, D, DIM, ROWS, ACC, TABLE, PRECISION, WIDE,
        )  # fmt: skip
    b_top = tl.full([TILE], float("-inf"), ACC)
    b_sum = tl.zeros([TILE], ACC)
    b_acc = tl.zeros([TILE, DV], ACC)
    n_full = n_slots // CHUNK * CHUNK
    for i_start in range(0, n_full, CHUNK):
        b_top, b_sum, b_acc = _step(
            b_q, b_y, b_x, b_top, b_sum, b_acc, p_k, p_v, p_eye, i_start, n_slots, n_x, inverse, skip_y,
            skip_x, s_ky, s_kx, s_kd, s_vy, s_vx, s_vd,
            CHUNK, False, C, POSITION, DIM, DIM_V, D, DV, ROWS, ACC, PRECISION, WIDE,
        )  # fmt: skip
    for i_start in range(n_full, n_slots, 16):
        b_top, b_sum, b_acc = _step(
            b_q, b_y, b_x, b_top, b_sum, b_acc, p_k, p_v, p_eye, i_start, n_slots, n_x, inverse, skip_y,
            skip_x, s_ky, s_kx, s_kd, s_vy, s_vx, s_vd,
            16, True, C, POSITION, DIM, DIM_V, D, DV, ROWS, ACC, PRECISION, WIDE,
        )  # fmt: skip
    b_top = b_top * C
    if ZERO:
        if n_slots < WINDOW * WINDOW:  # slots outside the map weigh in the sum, and nothing else
            if POSITION:
                o_w = tl.arange(0, ROWS)
                b_yf, b_xf = b_y.to(ACC), b_x.to(ACC)
                m_y = (o_w >= skip_y) & (o_w < skip_y + n_y)
                m_x = (o_w >= skip_x) & (o_w < skip_x + n_x)
                b_r1, b_c1, b_top1 = factors(b_yf, b_xf, (o_w < WINDOW) & (m_y == 0), o_w < WINDOW, C)
                b_r2, b_c2, b_top2 = factors(b_yf, b_xf, m_y, (o_w < WINDOW) & (m_x == 0), C)
                b_new = tl.maximum(b_top, tl.maximum(b_top1, b_top2))
                b_more = tl.sum(b_r1, 1) * tl.sum(b_c1, 1) * tl.exp2(b_top1 - b_new)
                b_more += tl.sum(b_r2, 1) * tl.sum(b_c2, 1) * tl.exp2(b_top2 - b_new)
            else:
                b_new = tl.maximum(b_top, 0.0)
                b_more = (WINDOW * WINDOW - n_slots) * tl.exp2(-b_new)
            b_old = tl.exp2(b_top - b_new)
            b_sum = b_sum * b_old + b_more
            b_acc = b_acc * b_old[:, None]
            b_top = b_new
    o_v = tl.arange(0, DV)
    o_channel = o_v.to(tl.int64) * s_od if WIDE else o_v * s_od
    o_out = offsets(o_qy, s_oy, o_qx, s_ox, WIDE)[:, None] + o_channel[None, :]
    p_out += i_b * s_ob + i_head * s_on + i_qy.to(tl.int64) * s_oy + i_qx.to(tl.int64) * s_ox
    b_out = (b_acc * (1.0 / b_sum)[:, None]).to(p_out.dtype.element_ty)
    tl.store(p_out + o_out, b_out, mask=m_q[:, None] & (o_v < DIM_V)[None, :])
    p_lse += ((i_b * HEADS + i_head) * QY + i_qy) * QX + i_qx
    tl.store(p_lse + o_qy * QX + o_qx, b_top + tl.log2(b_sum), mask=m_q)
