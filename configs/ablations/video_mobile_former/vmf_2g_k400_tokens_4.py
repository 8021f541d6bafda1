# Table 6, 4 global tokens. Paper: 70.8 / 89.1 %, 2.56 GFLOPs. Here: 2.558.
_base_ = '../../vmf_2g_k400.py'

model = dict(backbone=dict(num_tokens=4))
