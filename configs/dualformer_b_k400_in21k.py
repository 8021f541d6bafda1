# Table 1, DualFormer-B from ImageNet-21K. Paper: 82.9 %.
_base_ = 'dualformer_b_k400.py'

model = dict(backbone=dict(init_cfg=dict(type='Inflated', checkpoint='checkpoints/dualformer_b_in21k.pth')))
