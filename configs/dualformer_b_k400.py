# DualFormer-B on Kinetics-400 from random weights. Paper: 81.1 % from ImageNet-1K (_in1k.py) and 82.9 % from
# ImageNet-21K (_in21k.py), 20 to 30 points less without (Appendix C).
_base_ = [
    '_base_/models/dualformer_b.py',
    '_base_/data/k400.py',
    '_base_/pipelines/dualformer_32x2.py',
    '_base_/schedules/adamw_30e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=_base_.k400.num_classes))
train_dataloader = dict(dataset=_base_.k400.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k400.val)

optim_wrapper = dict(optimizer=dict(weight_decay=0.05))
