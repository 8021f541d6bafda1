"""How attention is computed: by PyTorch, with its matrix made again in the backward pass, or in blocks."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .tracing import cpu_flags, runs_eagerly

BLOCK = 2**20  # scores of a block for each thread: in bfloat16 they stay in a core's cache


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, dropout: float = 0.0) -> Tensor:
    """Softmax(q k^T / sqrt(d) + mask) v for each head, by the fastest of these ways.

    Args:
        q (Tensor): Queries ``[B, heads, N, d]``.
        k (Tensor): Keys ``[B, heads, M, d]``.
        v (Tensor): Values ``[B, heads, M, d]``.
        mask (Tensor, optional): What may be attended to (bool), or what is added, broadcast to ``[B, heads, N, M]``.
        dropout (float): Share of the attention matrix that is dropped. Defaults to 0.

    Returns:
        Tensor: ``[B, heads, N, d]``.
    """
    fused = partial(F.scaled_dot_product_attention, attn_mask=mask, dropout_p=dropout)
    if runs_eagerly(q):
        low = q.dtype == k.dtype == v.dtype == torch.bfloat16
        if dropout and torch.is_grad_enabled():
            return checkpoint(fused, q, k, v, use_reentrant=False)
        if low and mask is None and not dropout and not torch.is_grad_enabled() and blocks_are_faster():
            return attend_in_blocks(q, k, v)
    return fused(q, k, v)


def blocks_are_faster() -> bool:
    """Whether the CPU multiplies bfloat16, but has no AMX, for which alone PyTorch's fused attention packs it."""
    flags = cpu_flags()
    return 'avx512_bf16' in flags and 'amx_tile' not in flags


def attend_in_blocks(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """As :func:`attend`, by products of batches of matrices; of the attention matrix only a block exists at a time.

    The scores are rounded to the dtype of ``q``.
    """
    shape = q.shape
    q, k, v = (x.reshape(-1, *x.shape[2:]) for x in (q, k, v))  # [B * heads, length, d]
    out = torch.empty_like(q)
    # a block is several heads whole, or some queries of one
    rows = max(1, BLOCK * torch.get_num_threads() // k.shape[1])
    heads = max(1, rows // q.shape[1])
    for head in range(0, q.shape[0], heads):
        some = slice(head, head + heads)
        for row in range(0, q.shape[1], rows):
            part = q[some, row : row + rows]
            scores = torch.baddbmm(q.new_zeros(1), part, k[some].mT, beta=0, alpha=q.shape[-1] ** -0.5)
            out[some, row : row + rows] = scores.softmax(-1) @ v[some]
    return out.view(shape)
