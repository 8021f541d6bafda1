# DualFormer-S on HMDB-51, split 1, as released: 4x3 views, and pixels that are centred only.
_base_ = [
    '../_base_/models/dualformer_s.py',
    '../_base_/data/hmdb51.py',
    '../_base_/pipelines/dualformer_32x4_released.py',
    '../_base_/schedules/adamw_16e_released.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(drop_path_rate=0.3),
    cls_head=dict(num_classes=_base_.hmdb51.num_classes),
    data_preprocessor=dict(mean=[104, 117, 128], std=[1, 1, 1]),
)

train_dataloader = dict(batch_size=16, dataset=_base_.hmdb51.train)
val_dataloader = test_dataloader = dict(dataset=_base_.hmdb51.val)

optim_wrapper = dict(optimizer=dict(weight_decay=0.1))

load_from = 'checkpoints/dualformer_s_k400.pth'
