# VidTr-S on Kinetics-400 as released: ReLU, the sampling of the authors' loader, and a learning rate of 0.01 for 8 GPUs
# of 3 clips.
_base_ = '../vidtr_s_k400.py'

model = dict(
    backbone=dict(act_cfg=dict(type='ReLU'), init_cfg=dict(type='Inflated', checkpoint='checkpoints/vit_b.pth'))
)

train_sample = dict(_base_.train_sample, type='ReleasedSampleFrames', release='vidtr')
test_sample = dict(_base_.test_sample, type='ReleasedSampleFrames', release='vidtr')

train_pipeline = [_base_.init, train_sample, _base_.decode, *_base_.random_crop, *_base_.pack]
test_pipeline = [_base_.init, test_sample, _base_.decode, *_base_.three_crops, *_base_.pack]

train_dataloader = dict(batch_size=3, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

auto_scale_lr = dict(base_batch_size=24)
