# Table 5, Conv. Paper: 61 GFLOPs a view, 27.6 M, 79.5 %. Here: 61.3, 27.59 M, with the fine
# priors of 8x7x7 in the last stage too; with "whole" there it would be 61.9, 26.54 M.
_base_ = '../../dualformer_t_k400.py'

model = dict(backbone=dict(downsampling='conv', fine_sizes=((8, 7, 7),) * 4))
