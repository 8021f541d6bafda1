# The input of the 560M model (Table 1 and "Implementation Details"): 172 pixels, and 64 frames to train as well.
_base_ = 'k400_uniform.py'

train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
train_pipeline[1].clip_len = 64
train_pipeline[3].scale_range = (197, 246)
train_pipeline[4].size = 172
val_pipeline[3].scale = (-1, 172)
val_pipeline[4].crop_size = 172
test_pipeline = val_pipeline

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
