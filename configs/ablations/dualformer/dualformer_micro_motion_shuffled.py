# A control: the same model on the frames of each clip in random order. It must stay near chance, one in eight.
_base_ = '../../dualformer_micro_motion.py'

shuffle = dict(type='ShuffleFrames')
train_pipeline = [_base_.init, _base_.train_sample, _base_.decode, shuffle, *_base_.random_crop, *_base_.pack]
val_pipeline = [_base_.init, _base_.val_sample, _base_.decode, shuffle, *_base_.centre_crop, *_base_.pack]
test_pipeline = val_pipeline

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=val_pipeline))
