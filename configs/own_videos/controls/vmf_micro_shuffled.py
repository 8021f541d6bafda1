# A control: the same model on the frames of each clip in random order. What it still knows is not in their order.
_base_ = '../vmf_micro.py'

shuffle = dict(type='ShuffleFrames')
train_pipeline = [
    _base_.init,
    _base_.train_sample,
    _base_.decode,
    shuffle,
    _base_.part,
    _base_.square,
    _base_.colours,
    *_base_.pack,
]
val_pipeline = [_base_.init, _base_.val_sample, _base_.decode, shuffle, _base_.square, *_base_.pack]
test_pipeline = val_pipeline
