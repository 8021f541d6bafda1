# Table 5c, T2T: the body of T2T-ViT-19; its stem has no place in a VidTr. Paper: 34 GFLOPs, 76.3 %, without saying of
# which T2T-ViT; that of -19 is the nearest. Here: 36.4 in the paper's convention, 74.4 multiply-adds.
_base_ = '../../vidtr_s_k400.py'

model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=448, num_layers=19, num_heads=7, feedforward_channels=1344)),
    cls_head=dict(in_channels=448),
)
