# Table 6, VidTr-L on Charades, from Kinetics-400: clips of 32 frames, one in four, several labels a video. Paper: 43.5
# % mAP. It gives neither the loss nor a schedule of its own; ours are the binary cross-entropy of each class and the
# schedule of Kinetics-400. Lists have lines of a path and its labels.
_base_ = 'vidtr_l_k400.py'

model = dict(
    cls_head=dict(num_classes=157, multi_class=True, loss_cls=dict(type='BCELossWithLogits'), average_clips='score')
)

data_root = data_root_val = 'data/charades/videos'
ann_file_train = 'data/charades/charades_train_list_videos.txt'
ann_file_val = 'data/charades/charades_val_list_videos.txt'

train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
for pipeline in (train_pipeline, val_pipeline, test_pipeline):
    pipeline[1].frame_interval = 4

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

load_from = 'checkpoints/vidtr_l_k400.pth'
