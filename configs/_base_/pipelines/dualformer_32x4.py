# As dualformer_32x2.py, but one frame in four (Table 2).
_base_ = 'dualformer_32x2.py'

train_sample = dict(_base_.train_sample, frame_interval=4)
val_sample = dict(_base_.val_sample, frame_interval=4)
test_sample = dict(_base_.test_sample, frame_interval=4)

train_pipeline = [_base_.init, train_sample, _base_.decode, *_base_.random_resized_crop, *_base_.pack]
val_pipeline = [_base_.init, val_sample, _base_.decode, *_base_.centre_crop, *_base_.pack]
test_pipeline = [_base_.init, test_sample, _base_.decode, *_base_.centre_crop, *_base_.pack]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
