import torch
import torch.nn as nn
from einops import rearrange
from torch import Tensor

from mmdualformer.models.arguments import Size

from .attention_kernels import attend


def multi_head_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    num_heads: int,
    mask: Tensor | None = None,
    bias: Tensor | None = None,
    dropout: float = 0.0,
) -> Tensor:
    """Softmax(q k^T / sqrt(d) + bias) v for each head, fused.

    Args:
        q (Tensor): Queries ``[B, N, C]``.
        k (Tensor): Keys ``[B, M, C]``.
        v (Tensor): Values ``[B, M, C]``.
        num_heads (int): Heads; the width of one is ``d = C / num_heads``.
        mask (Tensor, optional): Which keys may be attended to, bool ``[B, M]``. Defaults to None, all of them.
        bias (Tensor, optional): Added to the scores of every clip, ``[num_heads, N, M]``. Defaults to None.
        dropout (float): Share of the attention matrix that is dropped. PyTorch fuses it on GPUs only. On a CPU the
            matrix is made again in the backward pass, as it is larger than what it is made of. Defaults to 0.

    Returns:
        Tensor: ``[B, N, C]``.
    """
    q, k, v = (rearrange(x, 'B N (heads d) -> B heads N d', heads=num_heads) for x in (q, k, v))
    if mask is not None:
        mask = mask[:, None, None, :]  # the same keys for every head and query
    if bias is not None:
        bias = bias.to(q.dtype)
        mask = bias if mask is None else bias.masked_fill(~mask, float('-inf'))
    x = attend(q, k, v, mask, dropout)
    return rearrange(x, 'B heads N d -> B N (heads d)')


class RelativePositionBias(nn.Module):
    """A learnt bias for each head and distance within a window (Swin Transformer, arXiv:2103.14030, Equation 4).

    Args:
        window_size (tuple): Largest window ``(t, h, w)``.
        num_heads (int): Attention heads.
    """

    def __init__(self, window_size: Size, num_heads: int) -> None:
        super().__init__()
        self.window_size = window_size
        distances = (2 * length - 1 for length in window_size)
        self.relative_position_bias_table = nn.Parameter(torch.empty(*distances, num_heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, window: Size) -> Tensor:
        """Biases ``[num_heads, N, N]`` of the ``N = t * h * w`` tokens of a window no larger than ``window_size``."""
        table = self.relative_position_bias_table
        places = torch.cartesian_prod(*(torch.arange(length, device=table.device) for length in window))
        distances = (places[:, None] - places[None]).unbind(-1)  # [N, N] each
        t, h, w = (distance + largest - 1 for distance, largest in zip(distances, self.window_size))  # from 0
        return rearrange(table[t, h, w], 'N M heads -> heads N M')
