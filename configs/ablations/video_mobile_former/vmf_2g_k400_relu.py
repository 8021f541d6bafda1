# Table 11, ReLU. Paper: 68.6 / 87.7 %, 2.58 GFLOPs. Here: 2.583.
_base_ = '../../vmf_2g_k400.py'

model = dict(backbone=dict(activation='relu'))
