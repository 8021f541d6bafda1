# Table 4, 32x2 clips, windows of 8x14x14. Paper: 324 GFLOPs, 79.7 / 94.5 %. Here: 323.4.
_base_ = '../../dualformer_t_k400.py'

model = dict(backbone=dict(window_size=(8, 14, 14)))
