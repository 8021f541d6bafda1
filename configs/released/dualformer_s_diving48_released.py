# DualFormer-S on Diving-48 as released: 30 epochs, 4x3 views, and pixels that are centred only.
_base_ = [
    '../_base_/models/dualformer_s.py',
    '../_base_/data/diving48.py',
    '../_base_/pipelines/dualformer_32x4_released.py',
    '../_base_/schedules/adamw_30e_released.py',
    '../_base_/default_runtime.py',
]

model = dict(
    cls_head=dict(num_classes=_base_.diving48.num_classes),
    data_preprocessor=dict(mean=[104, 117, 128], std=[1, 1, 1]),
)

train_dataloader = dict(dataset=_base_.diving48.train)
val_dataloader = test_dataloader = dict(dataset=_base_.diving48.val)

param_scheduler = [dict(_base_.warmup, end=1), _base_.cosine_by_epoch]

load_from = 'checkpoints/dualformer_s_k400.pth'
