# DualFormer-S on Kinetics-400 as released: sampling and recipe of the authors' config, which docs/dualformer.md sets
# beside the paper's text.
_base_ = [
    '../_base_/models/dualformer_s.py',
    '../_base_/datasets/k400.py',
    '../_base_/schedules/adamw_30e_released.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(init_cfg=dict(type='Inflated', checkpoint='checkpoints/dualformer_s_in1k.pth')))

val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
val_pipeline[3].scale = (-1, 256)
test_pipeline[1].update(type='ReleasedSampleFrames', release='dualformer')

val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
