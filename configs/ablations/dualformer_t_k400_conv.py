# Table 5, Conv. Paper: 61 GFLOPs a view, 27.6 M, 79.5 %. Here: 61.9, 26.54 M.
_base_ = '../dualformer_t_k400.py'

model = dict(backbone=dict(downsampling='conv'))
