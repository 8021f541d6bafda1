# VidTr-M on Kinetics-400 as released: ReLU, the sampling of the authors' loader, and a learning rate of 0.01 for 8 GPUs
# of 3 clips.
_base_ = '../vidtr_m_k400.py'

model = dict(
    backbone=dict(act_cfg=dict(type='ReLU'), init_cfg=dict(type='Inflated', checkpoint='checkpoints/vit_b.pth'))
)

train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
for pipeline in (train_pipeline, test_pipeline):
    pipeline[1].update(type='ReleasedSampleFrames', release='vidtr')

train_dataloader = dict(batch_size=3, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

auto_scale_lr = dict(base_batch_size=24)
