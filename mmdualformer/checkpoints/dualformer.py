"""Names of the released DualFormer checkpoints (github.com/sail-sg/dualformer) and ours."""

import re

# Pattern of a released name -> our name. A stage is a flat list of layers there, even ones LW-MSA and odd ones GP-MSA;
# {block} is half the layer's index.
_NAMES = (
    (r'patch_embeds\.(?P<stage>\d+)\.(?P<rest>.+)', 'stages.{stage}.patch_embed.{rest}'),
    (r'pos_block\.(?P<stage>\d+)\.proj\.0\.(?P<rest>.+)', 'stages.{stage}.blocks.0.peg.conv.{rest}'),
    (r'blocks\.(?P<stage>\d+)\.(?P<layer>\d*[02468])\.(?P<rest>.+)',
     'stages.{stage}.blocks.{block}.local_layer.{rest}'),
    (r'blocks\.(?P<stage>\d+)\.(?P<layer>\d*[13579])\.(?P<rest>.+)',
     'stages.{stage}.blocks.{block}.global_layer.{rest}'),
    (r'norm\.(?P<rest>.+)', 'norm.{rest}'),
)
_ATTENTION_NAMES = (
    ('attn.sr.', 'attn.fine.'),
    ('attn.lr.0.', 'attn.coarse.conv1.'),
    ('attn.lr.1.', 'attn.coarse.norm.'),
    ('attn.lr.3.', 'attn.coarse.conv2.'),
)


def backbone_name(released: str) -> str:
    """Translate the name of a tensor of a released backbone.

    Args:
        released (str): A name without the ``backbone.`` prefix, such as ``'blocks.0.1.attn.sr.weight'``.

    Returns:
        str: Our name, such as ``'stages.0.blocks.0.global_layer.attn.fine.weight'``.

    Raises:
        KeyError: The released backbones have no such tensor.
    """
    for pattern, ours in _NAMES:
        match = re.fullmatch(pattern, released)
        if match:
            parts = match.groupdict()
            name = ours.format(**parts, block=int(parts.get('layer', 0)) // 2)
            for theirs, replacement in _ATTENTION_NAMES:
                name = name.replace(theirs, replacement)
            return name
    raise KeyError(released)
