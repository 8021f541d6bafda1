# VidTr-M on Kinetics-400 as released: ReLU, the sampling of the authors' loader, and a learning rate of 0.01 for 8 GPUs
# of 3 clips.
_base_ = 'vidtr_s_k400_released.py'

model = dict(backbone=dict(arch='medium'))

train_sample = dict(_base_.train_sample, clip_len=16, frame_interval=4)
val_sample = dict(_base_.val_sample, clip_len=16, frame_interval=4)
test_sample = dict(_base_.test_sample, clip_len=16, frame_interval=4)

train_pipeline = [_base_.init, train_sample, _base_.decode, *_base_.random_crop, *_base_.pack]
val_pipeline = [_base_.init, val_sample, _base_.decode, *_base_.centre_crop_of_256, *_base_.pack]
test_pipeline = [_base_.init, test_sample, _base_.decode, *_base_.three_crops, *_base_.pack]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
