# Section 3.3, C-VidTr-M in a single pass: 16 frames from all over the video, in training one of each of as many
# segments (TSN's sampling). Accuracies are in the paper's supplement, which we do not have; the one crop is ours.
_base_ = [
    '../../_base_/models/vidtr_s.py',
    '../../_base_/data/k400.py',
    '../../_base_/pipelines/vidtr_tsn_16.py',
    '../../_base_/schedules/sgd_50e.py',
    '../../_base_/default_runtime.py',
]

model = dict(backbone=dict(arch='compact_medium'), cls_head=dict(num_classes=_base_.k400.num_classes))
train_dataloader = dict(dataset=_base_.k400.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k400.val)
