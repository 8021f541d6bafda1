# DualFormer-S in 2D on ImageNet-1K (supplement, A.2). Paper: 83.5 %, 8.1 GFLOPs, 50 M parameters. Here: 8.3 GFLOPs,
# 49.6 M.
_base_ = [
    '_base_/models/dualformer_s_2d.py',
    '_base_/datasets/imagenet1k.py',
    '_base_/schedules/adamw_300e.py',
    '_base_/default_runtime.py',
]
