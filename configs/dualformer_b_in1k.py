# DualFormer-B in 2D on ImageNet-1K (supplement, A.2). Paper: 84.0 %, 14.7 GFLOPs, 88 M parameters. Here: 14.6 GFLOPs,
# 87.8 M.
_base_ = 'dualformer_t_in1k.py'

model = dict(backbone=dict(arch='base'), cls_head=dict(in_channels=1024))
