# DualFormer-B on Kinetics-600 as released, from ImageNet-21K, at half of Kinetics-400's learning rates.
_base_ = ['dualformer_b_k400_released.py', '../_base_/data/k600.py']

model = dict(
    backbone=dict(init_cfg=dict(checkpoint='checkpoints/dualformer_b_in21k.pth')),
    cls_head=dict(num_classes=_base_.k600.num_classes),
)

train_dataloader = dict(dataset=_base_.k600.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k600.val)

optim_wrapper = dict(optimizer=dict(lr=5e-4))
