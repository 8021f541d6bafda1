# Table 1, DualFormer-B from ImageNet-1K. Paper: 81.1 %.
_base_ = 'dualformer_b_k400.py'

model = dict(backbone=dict(init_cfg=dict(type='Inflated', checkpoint='checkpoints/dualformer_b_in1k.pth')))
