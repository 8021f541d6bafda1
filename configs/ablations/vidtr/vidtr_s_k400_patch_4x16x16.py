# Table 5a, cubic patches of 4x16x16. Paper: 23 GFLOPs, 73.1 %. Here: 23.1 in the paper's convention, 53.3
# multiply-adds.
_base_ = '../../vidtr_s_k400.py'

model = dict(backbone=dict(patch_size=(4, 16, 16)))
