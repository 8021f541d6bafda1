# 16 frames from all over the video, in training one of each of as many segments (TSN's sampling), without flips, which
# would turn left into right. Tested on the 30 views of vidtr_8x8.py.
_base_ = 'video.py'

train_sample = dict(type='UniformSample', clip_len=16)
val_sample = dict(train_sample, test_mode=True)
test_sample = dict(val_sample, num_clips=10)

random_crop = [step for step in _base_.random_crop if step.type != 'Flip']

train_pipeline = [_base_.init, train_sample, _base_.decode, *random_crop, *_base_.pack]
val_pipeline = [_base_.init, val_sample, _base_.decode, *_base_.centre_crop_of_256, *_base_.pack]
test_pipeline = [_base_.init, test_sample, _base_.decode, *_base_.three_crops, *_base_.pack]

train_dataloader = dict(batch_size=6, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
