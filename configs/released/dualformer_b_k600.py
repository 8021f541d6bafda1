# DualFormer-B on Kinetics-600 as released, from ImageNet-21K, at half of Kinetics-400's learning rates.
_base_ = [
    '../_base_/models/dualformer_b.py',
    '../_base_/datasets/k600.py',
    '../_base_/schedules/adamw_30e_released.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(init_cfg=dict(type='Inflated', checkpoint='checkpoints/dualformer_b_in21k.pth')),
    cls_head=dict(num_classes=600),
)

val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
val_pipeline[3].scale = (-1, 256)
test_pipeline[1].update(type='ReleasedSampleFrames', release='dualformer')

val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=5e-4, weight_decay=0.05))
