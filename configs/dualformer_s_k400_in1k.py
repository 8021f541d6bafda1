# Table 1, DualFormer-S from ImageNet-1K. Paper: 80.6 % with token labelling, 80.3 % as here (supplement, Table 2).
_base_ = 'dualformer_s_k400.py'

model = dict(backbone=dict(init_cfg=dict(type='Inflated', checkpoint='checkpoints/dualformer_s_in1k.pth')))
