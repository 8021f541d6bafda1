"""Names of the released DualFormer checkpoints (github.com/sail-sg/dualformer) and ours."""

import re

# Pattern of a released name -> our name. A stage is a flat list of layers there; {block} and {half} make two of them a
# block.
_NAMES = (
    (r'patch_embeds\.(?P<stage>\d+)\.(?P<rest>.+)', 'stages.{stage}.patch_embed.{rest}'),
    (r'pos_block\.(?P<stage>\d+)\.proj\.0\.(?P<rest>.+)', 'stages.{stage}.blocks.0.peg.conv.{rest}'),
    (r'blocks\.(?P<stage>\d+)\.(?P<layer>\d+)\.(?P<rest>.+)', 'stages.{stage}.blocks.{block}.layers.{half}.{rest}'),
    (r'norm\.(?P<rest>.+)', 'norm.{rest}'),
)
_ATTENTION_NAMES = (
    ('attn.sr.', 'attn.scales.fine.'),
    ('attn.lr.0.', 'attn.scales.coarse.down1.'),
    ('attn.lr.1.', 'attn.scales.coarse.norm.'),
    ('attn.lr.3.', 'attn.scales.coarse.down2.'),
)


def backbone_name(released: str) -> str:
    """Translate the name of a tensor of a released backbone.

    Args:
        released (str): A name without the ``backbone.`` prefix, such as ``'blocks.0.1.attn.sr.weight'``.

    Returns:
        str: Our name, such as ``'stages.0.blocks.0.layers.1.attn.scales.fine.weight'``.

    Raises:
        KeyError: The released backbones have no such tensor.
    """
    for pattern, ours in _NAMES:
        match = re.fullmatch(pattern, released)
        if match:
            parts = match.groupdict()
            block, half = divmod(int(parts.get('layer', 0)), 2)
            name = ours.format(**parts, block=block, half=half)
            for theirs, replacement in _ATTENTION_NAMES:
                name = name.replace(theirs, replacement)
            return name
    raise KeyError(released)
