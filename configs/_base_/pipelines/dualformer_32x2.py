# DualFormer's clips of 32 frames, one in two (Section 4.2).
_base_ = 'video.py'

train_sample = dict(type='SampleFrames', clip_len=32, frame_interval=2, num_clips=1)
val_sample = dict(train_sample, test_mode=True)  # one clip while training, for speed
test_sample = dict(val_sample, num_clips=4)  # the paper's four views: four clips, one centre crop (Section 4.2)

train_pipeline = [_base_.init, train_sample, _base_.decode, *_base_.random_resized_crop, *_base_.pack]
val_pipeline = [_base_.init, val_sample, _base_.decode, *_base_.centre_crop, *_base_.pack]
test_pipeline = [_base_.init, test_sample, _base_.decode, *_base_.centre_crop, *_base_.pack]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
