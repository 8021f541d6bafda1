# A video in a single pass (Section 3.3): 16 frames from all over it, in training one of each of as many segments (TSN's
# sampling). The one crop is ours.
_base_ = 'video.py'

train_sample = dict(type='UniformSample', clip_len=16)
val_sample = dict(train_sample, test_mode=True)

train_pipeline = [_base_.init, train_sample, _base_.decode, *_base_.random_crop, *_base_.pack]
val_pipeline = [_base_.init, val_sample, _base_.decode, *_base_.centre_crop, *_base_.pack]
test_pipeline = val_pipeline

train_dataloader = dict(batch_size=6, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
