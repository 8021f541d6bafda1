# Table 3, (GG, GG, GG, GG): GP-MSA alone. Paper: 228 GFLOPs, 21.8 M, 77.6 / 93.2 %. Here: 226.7, 21.82 M, with
# the fine priors of 8x7x7 in the last stage too; with "whole" there it would be 235.0.
_base_ = '../../dualformer_t_k400.py'

model = dict(backbone=dict(block_types=('GG', 'GG', 'GG', 'GG'), fine_sizes=((8, 7, 7),) * 4))
