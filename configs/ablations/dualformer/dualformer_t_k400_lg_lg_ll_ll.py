# Table 3, (LG, LG, LL, LL): GP-MSA in the first two stages. Paper: 244 GFLOPs, 21.8 M, 79.3 / 94.0 %. Here: 245.0,
# 21.75 M.
_base_ = '../../dualformer_t_k400.py'

model = dict(backbone=dict(block_types=('LG', 'LG', 'LL', 'LL')))
