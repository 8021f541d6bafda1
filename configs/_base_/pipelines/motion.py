# The motion clips, 18 frames of 64 x 64, all of which a model sees at 32 x 32.
_base_ = 'video.py'

train_sample = dict(type='SampleFrames', clip_len=18, frame_interval=1, num_clips=1)
val_sample = dict(train_sample, test_mode=True)
random_crop = [dict(type='Resize', scale=(-1, 40)), dict(type='RandomCrop', size=32)]
centre_crop = [dict(type='Resize', scale=(-1, 40)), dict(type='CenterCrop', crop_size=32)]

train_pipeline = [_base_.init, train_sample, _base_.decode, *random_crop, *_base_.pack]
val_pipeline = [_base_.init, val_sample, _base_.decode, *centre_crop, *_base_.pack]
test_pipeline = val_pipeline

train_dataloader = dict(num_workers=2, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=16, num_workers=2, dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
