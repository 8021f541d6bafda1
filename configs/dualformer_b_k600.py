# DualFormer-B on Kinetics-600 from random weights. Paper: 85.2 % from ImageNet-21K (_in21k.py).
_base_ = [
    '_base_/models/dualformer_b.py',
    '_base_/datasets/k600.py',
    '_base_/schedules/adamw_30e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=600))

optim_wrapper = dict(optimizer=dict(weight_decay=0.05))
