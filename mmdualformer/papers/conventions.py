"""How papers count GFLOPs, where they do not count as fvcore does."""

import copy
from collections.abc import Sequence

import torch
import torch.nn as nn

from mmdualformer.models import VidTr
from mmdualformer.models.layers import Mlp, TokenConv3d


def count_vidtr(model: nn.Module, shape: Sequence[int]) -> int:
    """Count a VidTr as its paper does: the patch projection and the perceptrons of patches.

    Its Tables 2, 3 and 5 are met by this count, which has neither the attention's projections and products nor class
    tokens; the true cost, :func:`~mmdualformer.analysis.count_cost`, is nearly twice as high.

    Args:
        model (nn.Module): A VidTr, or a model that has one, on any device; it stays as it is.
        shape (sequence): Shape of the input, batch included.

    Returns:
        int: Multiply-adds of the whole input.
    """
    model = copy.deepcopy(model).to('meta').eval().requires_grad_(False)
    backbone = next(module for module in model.modules() if isinstance(module, VidTr))
    macs = class_tokens = 0

    def count_patches(module: TokenConv3d, _, output: torch.Tensor) -> None:
        nonlocal macs, class_tokens
        tokens = output.numel() // output.shape[-1]
        macs += tokens * module.weight.numel()
        class_tokens -= tokens

    def count_class_tokens(module: nn.Module, _, output: tuple[torch.Tensor, torch.Tensor]) -> None:
        nonlocal class_tokens
        class_tokens += output[0].numel() // output[0].shape[-1]

    def count_perceptron(module: Mlp, _, output: torch.Tensor) -> None:
        nonlocal macs
        tokens = output.numel() // output.shape[-1] - class_tokens
        macs += tokens * sum(parameter.numel() for parameter in module.parameters() if parameter.ndim == 2)

    backbone.patch_embed.register_forward_hook(count_patches)
    backbone.grid_embed.register_forward_hook(count_class_tokens)
    for module in backbone.modules():
        if isinstance(module, Mlp):
            module.register_forward_hook(count_perceptron)
    with torch.no_grad():
        model(torch.empty(*shape, device='meta'))
    return macs
