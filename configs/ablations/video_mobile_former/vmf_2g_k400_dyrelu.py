# Table 11, dynamic ReLU from the first token. Paper: 69.3 / 87.9 %, 2.58 GFLOPs. Here: 2.583.
_base_ = '../../vmf_2g_k400.py'

model = dict(backbone=dict(activation='dyrelu'))
