# Table 10, 2D depth-wise convolutions. Paper: 69.7 / 88.5 %, 2.46 GFLOPs. Here: 2.456.
_base_ = '../../vmf_2g_k400.py'

model = dict(backbone=dict(conv_type='2d'))
