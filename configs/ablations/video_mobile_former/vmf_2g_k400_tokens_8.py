# Table 6, 8 global tokens. Paper: 70.6 / 89.2 %, 2.65 GFLOPs. Here: 2.654.
_base_ = '../../vmf_2g_k400.py'

model = dict(backbone=dict(num_tokens=8))
