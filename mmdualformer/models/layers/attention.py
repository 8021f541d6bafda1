
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor


def multi_head_attention(q: Tensor, k: Tensor, v: Tensor, num_heads: int, mask: Tensor | None = None) -> Tensor:
    """Softmax(q k^T / sqrt(d)) v for each head, fused.

    Args:
        q (Tensor): Queries ``[B, N, C]``.
        k (Tensor): Keys ``[B, M, C]``.
        v (Tensor): Values ``[B, M, C]``.
        num_heads (int): Heads; the width of one is ``d = C / num_heads``.
        mask (Tensor, optional): Which keys may be attended to, bool ``[B, M]``. Defaults to None, all of them.

    Returns:
        Tensor: ``[B, N, C]``.
    """
    q, k, v = (rearrange(x, 'B N (heads d) -> B heads N d', heads=num_heads) for x in (q, k, v))
    if mask is not None:
        mask = mask[:, None, None, :]  # the same keys for every head and query
    x = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return rearrange(x, 'B heads N d -> B N (heads d)')
