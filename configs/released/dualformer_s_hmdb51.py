# DualFormer-S on HMDB-51, split 1, as released: 4x3 views, and pixels that are centred only.
_base_ = [
    '../_base_/models/dualformer_s.py',
    '../_base_/datasets/hmdb51.py',
    '../_base_/schedules/adamw_16e_released.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(drop_path_rate=0.3),
    cls_head=dict(num_classes=51),
    data_preprocessor=dict(mean=[104, 117, 128], std=[1, 1, 1]),
)

val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
val_pipeline[3].scale = (-1, 256)
test_pipeline[1].update(type='ReleasedSampleFrames', release='dualformer')
test_pipeline[4] = dict(type='ThreeCrop', crop_size=224)

train_dataloader = dict(batch_size=16)
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(optimizer=dict(weight_decay=0.1))

load_from = 'checkpoints/dualformer_s_k400.pth'
