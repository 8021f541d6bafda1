# Table 1, DualFormer-B from ImageNet-21K. Paper: 85.2 %.
_base_ = 'dualformer_b_k600.py'

model = dict(backbone=dict(init_cfg=dict(type='Inflated', checkpoint='checkpoints/dualformer_b_in21k.pth')))
