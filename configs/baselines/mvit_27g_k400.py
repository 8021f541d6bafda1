# Video Mobile-Former's Table 3, MViT-27G: MViT-80G with a quarter of the width of MViT and a layer fewer in its third
# stage. Paper: 56.0 / 80.7 %, 26.8 GFLOPs. Here: 27.0, 26.8 without normalisation.
_base_ = 'mvit_80g_k400.py'

model = dict(
    backbone=dict(arch=dict(embed_dims=24, num_layers=9, downscale_indices=[1, 3, 7])), cls_head=dict(in_channels=192)
)
