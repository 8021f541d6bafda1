# Table 2, VidTr-L: clips of 32 frames, one in two. Paper: 79.1 / 93.9 %, 351 GFLOPs a view. Here: 358.8 in the paper's
# convention, 583.4 multiply-adds. From random weights, as vidtr_s_k400.py.
_base_ = [
    '_base_/models/vidtr_s.py',
    '_base_/data/k400.py',
    '_base_/pipelines/vidtr_32x2.py',
    '_base_/schedules/sgd_50e.py',
    '_base_/default_runtime.py',
]

model = dict(backbone=dict(arch='large'), cls_head=dict(num_classes=_base_.k400.num_classes))
train_dataloader = dict(dataset=_base_.k400.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k400.val)
