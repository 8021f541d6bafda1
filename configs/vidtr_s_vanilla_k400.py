# Table 2, Vanilla-Tr, and Table 5b, WHT: joint attention of all tokens of 8 frames, one in eight. Paper: 77.5 / 93.2 %,
# 89 GFLOPs a view. Here: 89.7 in the paper's convention, 179.6 multiply-adds. From random weights, as vidtr_s_k400.py.
_base_ = [
    '_base_/models/vidtr_s.py',
    '_base_/datasets/k400_8x8_10x3.py',
    '_base_/schedules/sgd_50e.py',
    '_base_/default_runtime.py',
]

model = dict(backbone=dict(attention='joint'))
