# DualFormer-T in 2D on ImageNet-1K (supplement, A.2). Paper: 81.9 %, 4.2 GFLOPs, 22 M parameters. Here: 2.9 GFLOPs,
# which is what its layers cost, 22.2 M.
_base_ = [
    '_base_/models/dualformer_t_2d.py',
    '_base_/datasets/imagenet1k.py',
    '_base_/schedules/adamw_300e.py',
    '_base_/default_runtime.py',
]
