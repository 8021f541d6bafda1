# VidTr's Table 6, the I3D50 of En-VidTr-L on Charades, from Kinetics-400: clips of 8 frames, one in 16, which span the
# 128 frames of VidTr-L's. Loss, labels and lists are those of vidtr_l_charades.py, the schedule is that of
# Kinetics-400; the paper gives neither.
_base_ = 'i3d_r50_8x8_k400.py'

model = dict(
    backbone=dict(pretrained=None),
    cls_head=dict(num_classes=157, multi_class=True, loss_cls=dict(type='BCELossWithLogits'), average_clips='score'),
)

data_root = data_root_val = 'data/charades/videos'
ann_file_train = 'data/charades/charades_train_list_videos.txt'
ann_file_val = 'data/charades/charades_val_list_videos.txt'

train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
for pipeline in (train_pipeline, val_pipeline, test_pipeline):
    pipeline[1].frame_interval = 16

multi_label = dict(multi_class=True, num_classes=157)
train_dataloader = dict(
    dataset=dict(ann_file=ann_file_train, data_prefix=dict(video=data_root), pipeline=train_pipeline, **multi_label)
)
val_dataloader = dict(
    dataset=dict(ann_file=ann_file_val, data_prefix=dict(video=data_root_val), pipeline=val_pipeline, **multi_label)
)
test_dataloader = dict(
    dataset=dict(ann_file=ann_file_val, data_prefix=dict(video=data_root_val), pipeline=test_pipeline, **multi_label)
)

val_evaluator = dict(type='RobustAccMetric', metric_list='mean_average_precision')
test_evaluator = val_evaluator

load_from = 'checkpoints/i3d_r50_8x8_k400.pth'
