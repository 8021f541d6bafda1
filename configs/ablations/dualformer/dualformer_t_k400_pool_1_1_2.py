# Table 7, temporal pooling at rates 1, 1, 2 in the last three stages. Paper: 216 GFLOPs, 22.3 M, 79.2 / 93.9 %. Here:
# 215.5, 22.29 M.
_base_ = '../../dualformer_t_k400.py'

model = dict(backbone=dict(temporal_strides=(1, 1, 2)))
