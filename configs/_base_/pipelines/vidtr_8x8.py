# VidTr's clips of 8 frames, one in eight, random crops and flips, 30 views (Section 3.3). Sizes, of which the paper has
# none, are those of the released models' data loader.
_base_ = 'video.py'

train_sample = dict(type='SampleFrames', clip_len=8, frame_interval=8, num_clips=1)
val_sample = dict(train_sample, test_mode=True)  # one clip while training, for speed
test_sample = dict(val_sample, num_clips=10)  # the paper's 30 views: three crops of each of ten clips

train_pipeline = [_base_.init, train_sample, _base_.decode, *_base_.random_crop, *_base_.pack]
val_pipeline = [_base_.init, val_sample, _base_.decode, *_base_.centre_crop_of_256, *_base_.pack]
test_pipeline = [_base_.init, test_sample, _base_.decode, *_base_.three_crops, *_base_.pack]

train_dataloader = dict(batch_size=6, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
