# Table 3, (LL, LL, LL, LL): LW-MSA alone. Paper: 244 GFLOPs, 21.7 M, 78.4 / 93.3 %. Here: 245.7, 21.73 M.
_base_ = '../../dualformer_t_k400.py'

model = dict(backbone=dict(block_types=('LL', 'LL', 'LL', 'LL')))
