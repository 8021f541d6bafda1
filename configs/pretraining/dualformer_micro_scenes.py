# dualformer_micro, pretrained on drawn scenes: it predicts where the object is in each frame, and how the camera moves.
# In each stage its tokens are asked where the object is, without which it hardly begins to learn.
_base_ = [
    '../_base_/models/dualformer_micro.py',
    '../_base_/pipelines/moving_scenes.py',
    '../_base_/schedules/motion_pretraining_tokens.py',
]

model = dict(
    backbone=dict(out_indices=(0, 1, 2)),
    neck=dict(type='MovingObjectNeck', in_channels=(24, 48, 96)),
    cls_head=dict(
        num_classes=_base_.motions, dropout_ratio=0.0, average_clips='score', loss_cls=dict(type='MotionLoss')
    ),
)

train_dataloader = dict(batch_size=16)
