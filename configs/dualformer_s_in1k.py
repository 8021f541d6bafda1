# DualFormer-S in 2D on ImageNet-1K (supplement, A.2). Paper: 83.5 %, 8.1 GFLOPs, 50 M parameters. Here: 8.3 GFLOPs,
# 49.6 M.
_base_ = 'dualformer_t_in1k.py'

model = dict(backbone=dict(arch='small'), cls_head=dict(in_channels=768))
