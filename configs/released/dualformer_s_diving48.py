# DualFormer-S on Diving-48 as released: 30 epochs, 4x3 views, and pixels that are centred only.
_base_ = [
    '../_base_/models/dualformer_s.py',
    '../_base_/datasets/diving48.py',
    '../_base_/schedules/adamw_30e_released.py',
    '../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=48), data_preprocessor=dict(mean=[104, 117, 128], std=[1, 1, 1]))

val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
val_pipeline[3].scale = (-1, 256)
test_pipeline[1].update(type='ReleasedSampleFrames', release='dualformer')
test_pipeline[4] = dict(type='ThreeCrop', crop_size=224)

val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 1

load_from = 'checkpoints/dualformer_s_k400.pth'
