# Table 4, clips of 16 frames, one in four, windows of 4x7x7. Paper: 104 GFLOPs, 78.0 / 93.2 %. Here: 104.4, with
# fine priors of 4x7x7.
_base_ = 'dualformer_t_k400_16x4.py'

model = dict(backbone=dict(window_size=(4, 7, 7)))
