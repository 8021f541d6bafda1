# Kinetics-400 with frames spread over the whole video: clips of 32 to train ("Implementation Details"), one clip of 64
# to test. That the training clips are spread likewise, one frame of each of 32 equal parts, is ours, and so are their
# crops and flips, X3D's (arXiv:2004.04730): the short side is 8/7 to 10/7 of the crop's.
_base_ = 'k400.py'

train_pipeline = [
    dict(type='VideoInit'),
    dict(type='UniformSample', clip_len=32),
    dict(type='VideoDecode'),
    dict(type='RandomRescale', scale_range=(256, 320)),
    dict(type='RandomCrop', size=224),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = _base_.val_pipeline
val_pipeline[1] = dict(type='UniformSample', clip_len=64, test_mode=True)
test_pipeline = val_pipeline

train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
