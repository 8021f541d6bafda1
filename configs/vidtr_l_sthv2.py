# Table 6, VidTr-L on Something-Something V2, as vidtr_m_sthv2.py with 32 frames. Paper: 63.0 %.
_base_ = [
    '_base_/models/vidtr_s.py',
    '_base_/data/sthv2.py',
    '_base_/pipelines/vidtr_sthv2_32.py',
    '_base_/schedules/sgd_50e.py',
    '_base_/default_runtime.py',
]

model = dict(backbone=dict(arch='large'), cls_head=dict(num_classes=_base_.sthv2.num_classes))
train_dataloader = dict(dataset=_base_.sthv2.train)
val_dataloader = test_dataloader = dict(dataset=_base_.sthv2.val)

load_from = 'checkpoints/vidtr_l_k400.pth'
