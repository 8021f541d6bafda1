# Sixteen frames over the whole of a clip, however long it is, of 64 x 64 pixels: what a small model sees of own videos.
_base_ = 'video.py'

train_sample = dict(type='SampleEvenly', clip_len=16)
val_sample = dict(type='SampleEvenly', clip_len=16, test_mode=True)
part = dict(type='RandomPart')
square = dict(type='Resize', scale=(64, 64), keep_ratio=False, interpolation='area')
colours = dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.6, hue=0.1)

train_pipeline = [_base_.init, train_sample, _base_.decode, part, square, colours, *_base_.pack]
val_pipeline = [_base_.init, val_sample, _base_.decode, square, *_base_.pack]
test_pipeline = val_pipeline

train_dataloader = dict(num_workers=2, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=16, num_workers=2, dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
