# Table 4, 32x2 clips, windows of 16x7x7. Paper: 272 GFLOPs, 79.7 / 94.4 %. Here: 270.6.
_base_ = '../../dualformer_t_k400.py'

model = dict(backbone=dict(window_size=(16, 7, 7)))
