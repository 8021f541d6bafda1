# Frames spread over the whole video, for Video Mobile-Former: clips of 32 to train ("Implementation Details"), one clip
# of 64 to test. That the training clips are spread likewise, one frame of each of 32 equal parts, is ours, and so are
# their crops and flips, X3D's (arXiv:2004.04730): the short side is 8/7 to 10/7 of the crop's.
_base_ = 'video.py'

train_sample = dict(type='UniformSample', clip_len=32)
val_sample = dict(type='UniformSample', clip_len=64, test_mode=True)

train_pipeline = [_base_.init, train_sample, _base_.decode, *_base_.random_crop, *_base_.pack]
val_pipeline = [_base_.init, val_sample, _base_.decode, *_base_.centre_crop, *_base_.pack]
test_pipeline = val_pipeline

train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
