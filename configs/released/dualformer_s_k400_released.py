# DualFormer-S on Kinetics-400 as released: sampling and recipe of the authors' config, which docs/dualformer.md sets
# beside the paper's text.
_base_ = [
    '../_base_/models/dualformer_s.py',
    '../_base_/data/k400.py',
    '../_base_/pipelines/dualformer_32x2_released.py',
    '../_base_/schedules/adamw_30e_released.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(init_cfg=dict(type='Inflated', checkpoint='checkpoints/dualformer_s_in1k.pth')),
    cls_head=dict(num_classes=_base_.k400.num_classes),
)

train_dataloader = dict(dataset=_base_.k400.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k400.val)
