# Table 2, VidTr-S: clips of 8 frames, one in eight, 30 views. Paper: 77.7 / 93.3 % from ViT-B, 89 GFLOPs a view. Here:
# 89.7 in the paper's convention, 158.2 multiply-adds. This starts from random weights; docs/vidtr.md has the options
# to start it from ViT-B.
_base_ = [
    '_base_/models/vidtr_s.py',
    '_base_/data/k400.py',
    '_base_/pipelines/vidtr_8x8.py',
    '_base_/schedules/sgd_50e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=_base_.k400.num_classes))
train_dataloader = dict(dataset=_base_.k400.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k400.val)
