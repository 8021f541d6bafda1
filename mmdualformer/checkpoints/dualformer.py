"""Names of the released DualFormer checkpoints (github.com/sail-sg/dualformer) and ours."""

import re

# A stage holds a flat list of layers in the released files; even ones are LW-MSA, odd ones GP-MSA.
_LAYER = {0: 'local_layer', 1: 'global_layer'}

# (pattern of the released name, our name); the first that matches the whole name wins
_NAMES = tuple((re.compile(pattern), name) for pattern, name in (
    (r'patch_embeds\.(\d+)\.proj\.(.+)', r'stages.\1.patch_embed.proj.\2'),
))
