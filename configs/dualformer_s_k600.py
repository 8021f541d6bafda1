# DualFormer-S on Kinetics-600 from random weights. The paper does not report it.
_base_ = [
    '_base_/models/dualformer_s.py',
    '_base_/data/k600.py',
    '_base_/pipelines/dualformer_32x2.py',
    '_base_/schedules/adamw_30e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=_base_.k600.num_classes))
train_dataloader = dict(dataset=_base_.k600.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k600.val)
