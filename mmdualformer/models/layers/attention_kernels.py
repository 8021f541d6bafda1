"""How attention is computed: by PyTorch, in blocks, or once where the rest of a layer is computed again."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.attention import SDPBackend

from .checkpoint import is_checkpointed, keep_result
from .tracing import cpu_flags, runs_eagerly

BLOCK = 2**20  # scores of a block for each thread: in bfloat16 they stay in a core's cache
_FUSED = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_FUSED_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


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
    if runs_eagerly(q):
        low = q.dtype == k.dtype == v.dtype == torch.bfloat16
        if torch.is_grad_enabled():
            if dropout:
                return _DroppedAttention.apply(q, k, v, mask, dropout)
            if is_checkpointed() and _is_fused(q, k, v, mask):
                return _FusedAttention.apply(q, k, v, mask)
        elif low and mask is None and not dropout and blocks_are_faster():
            return attend_in_blocks(q, k, v)
    return F.scaled_dot_product_attention(q, k, v, mask, dropout)


def _is_fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> bool:
    """Whether PyTorch would take its fused attention of CPUs, whose backward pass needs no attention matrix."""
    return torch._fused_sdp_choice(q, k, v, mask) == SDPBackend.FLASH_ATTENTION.value


class _FusedAttention(Function):
    """As PyTorch's, but for its result, which a recomputation takes from the forward pass."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None and mask.dtype == torch.bool:
            mask = q.new_zeros(mask.shape).masked_fill(~mask, float('-inf'))
        out, logsumexp = keep_result(lambda: _FUSED(q, k, v, attn_mask=mask))
        ctx.save_for_backward(q, k, v, mask, out, logsumexp)
        return out.view_as(out)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, mask, out, logsumexp = ctx.saved_tensors
        return *_FUSED_BACKWARD(grad, q, k, v, out, logsumexp, 0.0, False, attn_mask=mask), None


class _DroppedAttention(Function):
    """As PyTorch's, whose attention matrices are made again in the backward pass, with the same dropped."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
        state = torch.get_rng_state()

        def compute() -> tuple[Tensor, ...]:
            return F.scaled_dot_product_attention(q, k, v, mask, dropout), torch.get_rng_state()

        out, after = keep_result(compute)
        torch.set_rng_state(after)  # also where the result was kept
        ctx.save_for_backward(q, k, v, mask, state)
        ctx.dropout = dropout
        return out.view_as(out)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, mask, state = ctx.saved_tensors
        with torch.random.fork_rng(devices=()), torch.enable_grad():
            torch.set_rng_state(state)
            out = F.scaled_dot_product_attention(q, k, v, mask, ctx.dropout)
        wanted = [x for x in (q, k, v, mask) if x is not None and x.requires_grad]
        grads = iter(torch.autograd.grad(out, wanted, grad, create_graph=torch.is_grad_enabled()))
        return *(next(grads) if needed else None for needed in ctx.needs_input_grad[:4]), None


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
