# Table 5b, WH: attention within frames, whose class tokens are averaged. Paper: 2.1 GB, 74.7 %. Here: 89.7 in the
# paper's convention, 140.5 multiply-adds.
_base_ = '../../vidtr_s_k400.py'

model = dict(backbone=dict(attention='spatial'))
