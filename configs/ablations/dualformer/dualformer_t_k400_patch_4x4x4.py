# Table 7, patches of four frames. Paper: 112 GFLOPs, 21.8 M, 78.5 / 93.3 %. Here: 112.6, 21.77 M, with fine priors of
# 4x7x7 in its eight time steps.
_base_ = '../../dualformer_t_k400.py'

model = dict(backbone=dict(patch_size=(4, 4, 4)))
