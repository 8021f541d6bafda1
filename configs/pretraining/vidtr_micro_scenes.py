# vidtr_micro, pretrained on drawn scenes: it predicts where the object is in each frame, and how the camera moves.
_base_ = [
    '../_base_/models/vidtr_micro.py',
    '../_base_/pipelines/moving_scenes.py',
    '../_base_/schedules/motion_pretraining.py',
]

model = dict(
    cls_head=dict(
        num_classes=_base_.motions, dropout_ratio=0.0, average_clips='score', loss_cls=dict(type='MotionLoss')
    )
)
