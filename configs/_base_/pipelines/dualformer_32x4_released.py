# As released for the smaller data sets: dualformer_32x2_released.py, but one frame in four, tested on three crops.
_base_ = 'dualformer_32x4.py'

test_sample = dict(_base_.test_sample, type='ReleasedSampleFrames', release='dualformer')

val_pipeline = [_base_.init, _base_.val_sample, _base_.decode, *_base_.centre_crop_of_256, *_base_.pack]
test_pipeline = [_base_.init, test_sample, _base_.decode, *_base_.three_crops, *_base_.pack]

val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
