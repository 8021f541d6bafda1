# DualFormer-S with token labels as released: the teacher labels in train mode.
_base_ = [
    '../_base_/models/dualformer_s.py',
    '../_base_/datasets/k400.py',
    '../_base_/schedules/adamw_30e_released.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='TokenLabelRecognizer3D',
    teacher=dict(
        config='mmdualformer::dualformer_b_k400.py', checkpoint='checkpoints/dualformer_b_k400.pth', train_mode=True
    ),
    backbone=dict(init_cfg=dict(type='Inflated', checkpoint='checkpoints/dualformer_s_in1k.pth')),
    cls_head=dict(type='TokenLabelHead'),
)

val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
val_pipeline[3].scale = (-1, 256)
test_pipeline[1].update(type='ReleasedSampleFrames', release='dualformer')

val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
