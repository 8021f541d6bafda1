# A control: the same model on one frame of each clip. It must stay near chance, one in eight.
_base_ = '../../dualformer_micro_motion.py'

model = dict(backbone=dict(clip_size=(1, 32, 32), fine_sizes=((1, 2, 2), (1, 2, 2), 'whole')))

train_sample = dict(_base_.train_sample, clip_len=1)
val_sample = dict(_base_.val_sample, clip_len=1)

train_pipeline = [_base_.init, train_sample, _base_.decode, *_base_.random_crop, *_base_.pack]
val_pipeline = [_base_.init, val_sample, _base_.decode, *_base_.centre_crop, *_base_.pack]
test_pipeline = val_pipeline

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=val_pipeline))
