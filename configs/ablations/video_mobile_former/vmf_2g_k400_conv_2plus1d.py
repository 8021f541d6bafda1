# Table 10, (2+1)D depth-wise convolutions. Paper: 68.3 / 86.3 %, 2.48 GFLOPs. Here: 2.481.
_base_ = '../../vmf_2g_k400.py'

model = dict(backbone=dict(conv_type='(2+1)d'))
