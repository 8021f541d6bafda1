# Table 6, VidTr-M on Something-Something V2, from Kinetics-400: 16 frames from all over the video, one of each of as
# many segments (TSN's sampling), and no flips. Paper: 61.9 %. It gives no schedule of its own; this is that of
# Kinetics-400. It says 30 views for all (Section 3.3), as here, and TSM's setup for this data (Section 4.1).
_base_ = [
    '_base_/models/vidtr_s.py',
    '_base_/data/sthv2.py',
    '_base_/pipelines/vidtr_sthv2_16.py',
    '_base_/schedules/sgd_50e.py',
    '_base_/default_runtime.py',
]

model = dict(backbone=dict(arch='medium'), cls_head=dict(num_classes=_base_.sthv2.num_classes))
train_dataloader = dict(dataset=_base_.sthv2.train)
val_dataloader = test_dataloader = dict(dataset=_base_.sthv2.val)

load_from = 'checkpoints/vidtr_m_k400.pth'
