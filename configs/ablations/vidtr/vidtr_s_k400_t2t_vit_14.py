# Table 5c, T2T: the body of T2T-ViT-14; its stem has no place in a VidTr. Paper: 34 GFLOPs, 76.3 %, without saying of
# which T2T-ViT; that of -19 is the nearest. Here: 19.9 in the paper's convention, 41.0 multiply-adds.
_base_ = '../../vidtr_s_k400.py'

model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=384, num_layers=14, num_heads=6, feedforward_channels=1152)),
    cls_head=dict(in_channels=384),
)
