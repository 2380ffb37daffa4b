"""A copy of the window for every block, then torch's fused attention; relative logits are its bias."""

import torch.nn.functional as F
from torch import Tensor

from halobench.attention import Position, Problem, attention

from ._windows import bias, blocks, unblock, windows


@attention("sdpa_blocked")
def sdpa_blocked(q: Tensor, k: Tensor, v: Tensor, position: Position, problem: Problem) -> Tensor:
    q, k, v = blocks(q, problem), windows(k, problem), windows(v, problem)
    added = bias(q, position, problem)
    if added is not None:
        added = added.expand(*q.shape[:-1], k.shape[3]).flatten(1, 2)
    q, k, v = (x.flatten(1, 2) for x in (q, k, v))  # b tile query d: what the fused kernels take
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=added, scale=problem.logit_scale)
    return unblock(out.unflatten(1, (problem.heads, -1)), problem)
