# The input of the 560M model (Table 1 and "Implementation Details"): 172 pixels, and 64 frames to train as well.
_base_ = 'vmf_224.py'

train_sample = dict(_base_.train_sample, clip_len=64)
random_crop = [
    dict(type='RandomRescale', scale_range=(197, 246)),
    dict(type='RandomCrop', size=172),
    dict(type='Flip', flip_ratio=0.5),
]
centre_crop = [dict(type='Resize', scale=(-1, 172)), dict(type='CenterCrop', crop_size=172)]

train_pipeline = [_base_.init, train_sample, _base_.decode, *random_crop, *_base_.pack]
val_pipeline = [_base_.init, _base_.val_sample, _base_.decode, *centre_crop, *_base_.pack]
test_pipeline = val_pipeline

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
