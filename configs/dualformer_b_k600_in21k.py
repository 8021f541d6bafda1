# Table 1, DualFormer-B from ImageNet-21K. Paper: 85.2 %, at Kinetics-400's learning rates. The released config has half
# of them: --cfg-options optim_wrapper.optimizer.lr=5e-4.
_base_ = 'dualformer_b_k600.py'

model = dict(backbone=dict(init_cfg=dict(type='Inflated', checkpoint='checkpoints/dualformer_b_in21k.pth')))
