# VidTr's Table 6, the I3D50 of En-VidTr-L on Charades, from Kinetics-400: clips of 8 frames, one in 16, which span the
# 128 frames of VidTr-L's. Loss, labels and lists are those of vidtr_l_charades.py, the schedule is that of
# Kinetics-400; the paper gives neither.
_base_ = ['i3d_r50_8x8_k400.py', '../_base_/data/charades.py']

model = dict(
    backbone=dict(pretrained=None),
    cls_head=dict(
        num_classes=_base_.charades.num_classes,
        multi_class=True,
        loss_cls=dict(type='BCELossWithLogits'),
        average_clips='score',
    ),
)

train_sample = dict(_base_.train_sample, frame_interval=16)
val_sample = dict(_base_.val_sample, frame_interval=16)
test_sample = dict(_base_.test_sample, frame_interval=16)

train_pipeline = [_base_.init, train_sample, _base_.decode, *_base_.random_crop, *_base_.pack]
val_pipeline = [_base_.init, val_sample, _base_.decode, *_base_.centre_crop_of_256, *_base_.pack]
test_pipeline = [_base_.init, test_sample, _base_.decode, *_base_.three_crops, *_base_.pack]

train_dataloader = dict(dataset=dict(**_base_.charades.train, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**_base_.charades.val, pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(**_base_.charades.val, pipeline=test_pipeline))

val_evaluator = dict(type='RobustAccMetric', metric_list='mean_average_precision')
test_evaluator = val_evaluator

load_from = 'checkpoints/i3d_r50_8x8_k400.pth'
