# DualFormer-T on Kinetics-400 as released: sampling and recipe of the authors' config, which docs/dualformer.md sets
# beside the paper's text.
# It has 3 epochs of warm-up.
_base_ = [
    '../_base_/models/dualformer_t.py',
    '../_base_/datasets/k400.py',
    '../_base_/schedules/adamw_30e_released.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(init_cfg=dict(type='Inflated', checkpoint='checkpoints/dualformer_t_in1k.pth')))

val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
val_pipeline[3].scale = (-1, 256)
test_pipeline[1].update(type='ReleasedSampleFrames', release='dualformer')

val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 3
