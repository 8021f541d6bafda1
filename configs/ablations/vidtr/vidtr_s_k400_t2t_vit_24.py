# Table 5c, T2T: the body of T2T-ViT-24; its stem has no place in a VidTr. Paper: 34 GFLOPs, 76.3 %, without saying of
# which T2T-ViT; that of -19 is the nearest. Here: 59.8 in the paper's convention, 121.1 multiply-adds.
_base_ = '../../vidtr_s_k400.py'

model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=512, num_layers=24, num_heads=8, feedforward_channels=1536)),
    cls_head=dict(in_channels=512),
)
