# Kinetics-400 with frames spread over the whole video: clips of 32 to train ("Implementation Details"), one clip of 64
# to test. That the training clips are spread likewise, one frame of each of 32 equal parts, is ours.
_base_ = 'k400.py'

train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
train_pipeline[1] = dict(type='UniformSample', clip_len=32)
val_pipeline[1] = dict(type='UniformSample', clip_len=64, test_mode=True)
test_pipeline = val_pipeline

train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
