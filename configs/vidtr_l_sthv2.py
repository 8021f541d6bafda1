# Table 6, VidTr-L on Something-Something V2, as vidtr_m_sthv2.py with 32 frames. Paper: 63.0 %.
_base_ = 'vidtr_m_sthv2.py'

model = dict(backbone=dict(arch='large'))

train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
for pipeline in (train_pipeline, val_pipeline, test_pipeline):
    pipeline[1].clip_len = 32

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

load_from = 'checkpoints/vidtr_l_k400.pth'
