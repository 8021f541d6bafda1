# A control: the same model on one frame of each clip. What it still knows is in how a frame looks.
_base_ = '../vmf_micro.py'

train_sample = dict(_base_.train_sample, clip_len=1)
val_sample = dict(_base_.val_sample, clip_len=1)
train_pipeline = [_base_.init, train_sample, _base_.decode, _base_.part, _base_.square, _base_.colours, *_base_.pack]
val_pipeline = [_base_.init, val_sample, _base_.decode, _base_.square, *_base_.pack]
test_pipeline = val_pipeline
