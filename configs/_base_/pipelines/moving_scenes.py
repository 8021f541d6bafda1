# Scenes in motion, drawn as they are trained on: nothing is read. A label is the motion, six numbers a frame.
pack = [
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'img_shape')),
]
scenes = dict(type='MovingScenesDataset', frames=16, size=64, pipeline=pack)
motions = 16 * 6

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**scenes, num_clips=16000),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**scenes, num_clips=512, test_mode=True),
)
test_dataloader = val_dataloader
test_pipeline = pack

val_evaluator = dict(type='MotionMetric')
test_evaluator = val_evaluator
