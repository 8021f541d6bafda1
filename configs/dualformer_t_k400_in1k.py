# Table 1, DualFormer-T from ImageNet-1K. Paper: 79.5 % with token labelling, 79.0 % as here (supplement, Table 2).
_base_ = 'dualformer_t_k400.py'

model = dict(backbone=dict(init_cfg=dict(type='Inflated', checkpoint='checkpoints/dualformer_t_in1k.pth')))
