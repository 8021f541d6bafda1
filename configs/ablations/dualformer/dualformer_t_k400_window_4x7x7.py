# Table 4, 32x2 clips, windows of 4x7x7. Paper: 224 GFLOPs, 79.1 / 93.9 %. Here: 225.2.
_base_ = '../../dualformer_t_k400.py'

model = dict(backbone=dict(window_size=(4, 7, 7)))
