# Table 5b, W + H + T: attention along each axis, in the order time, height, width, which the paper leaves open. Paper:
# 1.5 GB, 72.3 %. Here: 89.7 in the paper's convention, 174.4 multiply-adds.
_base_ = '../../vidtr_s_k400.py'

model = dict(backbone=dict(attention='axial'))
