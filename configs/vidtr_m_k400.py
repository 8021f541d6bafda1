# Table 2, VidTr-M: clips of 16 frames, one in four. Paper: 78.6 / 93.5 %, 179 GFLOPs a view. Here: 179.4 in the paper's
# convention, 299.5 multiply-adds. From random weights, as vidtr_s_k400.py.
_base_ = [
    '_base_/models/vidtr_s.py',
    '_base_/data/k400.py',
    '_base_/pipelines/vidtr_16x4.py',
    '_base_/schedules/sgd_50e.py',
    '_base_/default_runtime.py',
]

model = dict(backbone=dict(arch='medium'), cls_head=dict(num_classes=_base_.k400.num_classes))
train_dataloader = dict(dataset=_base_.k400.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k400.val)
