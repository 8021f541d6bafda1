# Table 3, (LG2, LG2, LG2, LG2): the (8, 7, 7) scale alone, in every stage. Paper: 232 GFLOPs, 21.8 M, 79.3 / 93.9 %.
# Here: 233.7, 21.76 M.
_base_ = '../../dualformer_t_k400.py'

model = dict(backbone=dict(fine_sizes=((8, 7, 7),) * 4, coarse_sizes=(None,) * 4))
