# DualFormer-B in 2D on ImageNet-1K (supplement, A.2). Paper: 84.0 %, 14.7 GFLOPs, 88 M parameters. Here: 14.6 GFLOPs,
# 87.8 M.
_base_ = [
    '_base_/models/dualformer_b_2d.py',
    '_base_/datasets/imagenet1k.py',
    '_base_/schedules/adamw_300e.py',
    '_base_/default_runtime.py',
]
