# DualFormer-B on Kinetics-600 from random weights. Paper: 85.2 % from ImageNet-21K (_in21k.py).
_base_ = [
    '_base_/models/dualformer_b.py',
    '_base_/data/k600.py',
    '_base_/pipelines/dualformer_32x2.py',
    '_base_/schedules/adamw_30e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=_base_.k600.num_classes))
train_dataloader = dict(dataset=_base_.k600.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k600.val)

optim_wrapper = dict(optimizer=dict(weight_decay=0.05))
