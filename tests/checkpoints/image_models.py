"""Weights of image transformers as others release them."""

import torch

IMAGE_MODELS = {
    'ViT-B': (768, 12, 3072),
    'ViT-L': (1024, 24, 4096),
    'T2T-ViT-14': (384, 14, 1152),
    'T2T-ViT-19': (448, 19, 1344),
    'T2T-ViT-24': (512, 24, 1536),
}


def image_model(name: str, size: int = 14, patch: int = 16, device: str = 'meta') -> dict:
    """Names and shapes of a ViT of timm's, or of a T2T-ViT."""
    dim, layers, hidden = IMAGE_MODELS[name]
    shapes = dict(cls_token=(1, 1, dim), pos_embed=(1, size**2 + 1, dim))
    for i in range(layers):
        for layer, (outputs, inputs) in {
            'attn.qkv': (3 * dim, dim),
            'attn.proj': (dim, dim),
            'mlp.fc1': (hidden, dim),
            'mlp.fc2': (dim, hidden),
        }.items():
            shapes.update({f'blocks.{i}.{layer}.weight': (outputs, inputs), f'blocks.{i}.{layer}.bias': (outputs,)})
        shapes.update({f'blocks.{i}.norm{n}.{part}': (dim,) for n in (1, 2) for part in ('weight', 'bias')})
    shapes.update({f'norm.{part}': (dim,) for part in ('weight', 'bias')})
    shapes.update({'head.weight': (1000, dim), 'head.bias': (1000,)})
    if name.startswith('T2T'):
        shapes = {name: shape for name, shape in shapes.items() if 'qkv.bias' not in name}
        shapes['tokens_to_token.project.weight'] = (dim, 576)
    else:
        shapes.update({'patch_embed.proj.weight': (dim, 3, patch, patch), 'patch_embed.proj.bias': (dim,)})
    torch.manual_seed(0)
    return {name: torch.randn(shape, device=device) for name, shape in shapes.items()}
