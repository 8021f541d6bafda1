# Table 6, VidTr-L on Charades, from Kinetics-400: clips of 32 frames, one in four, several labels a video. Paper: 43.5
# % mAP. It gives neither the loss nor a schedule of its own; ours are the binary cross-entropy of each class and the
# schedule of Kinetics-400. Views are averaged as logits. Lists have lines of a path and its labels.
_base_ = [
    '_base_/models/vidtr_s.py',
    '_base_/data/charades.py',
    '_base_/pipelines/vidtr_32x4.py',
    '_base_/schedules/sgd_50e.py',
    '_base_/default_runtime.py',
]

model = dict(
    backbone=dict(arch='large'),
    cls_head=dict(
        num_classes=_base_.charades.num_classes,
        multi_class=True,
        loss_cls=dict(type='BCELossWithLogits'),
        average_clips='score',
    ),
)

train_dataloader = dict(dataset=_base_.charades.train)
val_dataloader = test_dataloader = dict(dataset=_base_.charades.val)

val_evaluator = dict(type='RobustAccMetric', metric_list='mean_average_precision')
test_evaluator = val_evaluator

load_from = 'checkpoints/vidtr_l_k400.pth'
