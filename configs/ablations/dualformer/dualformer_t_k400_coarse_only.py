# Table 3, (LG1, LG1, LG1, LG1): the (4, 4, 4) scale alone where there are two. Paper: 224 GFLOPs, 21.8 M, 78.4 / 93.4
# %. Here: 225.2, 21.75 M. With that scale in the later stages too it would be 203.8.
_base_ = '../../dualformer_t_k400.py'

model = dict(backbone=dict(fine_sizes=(None, None, (8, 7, 7), 'whole')))
