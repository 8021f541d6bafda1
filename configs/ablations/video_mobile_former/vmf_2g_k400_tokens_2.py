# Table 6, 2 global tokens. Paper: 70.3 / 88.9 %, 2.51 GFLOPs. Here: 2.510.
_base_ = '../../vmf_2g_k400.py'

model = dict(backbone=dict(num_tokens=2))
