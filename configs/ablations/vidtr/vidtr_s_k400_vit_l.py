# Table 5c, the body and initialisation of ViT-L/16. Paper: 358 GFLOPs, which is what VidTr-L costs, 77.5 %. Here: 316.9
# in the paper's convention, 554.6 multiply-adds.
_base_ = '../../vidtr_s_k400.py'

model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=1024, num_layers=24, num_heads=16, feedforward_channels=4096)),
    cls_head=dict(in_channels=1024),
)
