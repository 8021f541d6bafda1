# Video Mobile-Former's Table 3, MViT-43G: MViT-80G with a third of the width of MViT. Paper: 62.0 / 84.8 %, 42.9
# GFLOPs. Here: 43.3, 43.0 without normalisation.
_base_ = 'mvit_80g_k400.py'

model = dict(backbone=dict(arch=dict(embed_dims=32)), cls_head=dict(in_channels=256))
