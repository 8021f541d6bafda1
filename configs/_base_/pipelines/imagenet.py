# Images as clips of one frame, with the augmentation of DeiT (arXiv:2012.12877, Table 9), without the repeated
# augmentation (supplement A.2). DeiT's code has a colour jitter of 0.4 too, which it leaves out where there is
# RandAugment, so it is not here.
train_pipeline = [
    dict(type='ImageDecode'),
    dict(type='BuildPseudoClip', clip_len=1),
    dict(type='RandomResizedCrop'),
    dict(type='PillowResize', scale=(224, 224), keep_ratio=False, interpolation='bicubic'),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='RandAugment', magnitude=9, magnitude_std=0.5),
    dict(
        type='RandomErasing',
        erase_prob=0.25,
        mode='rand',
        fill_color=[123.675, 116.28, 103.53],
        fill_std=[58.395, 57.12, 57.375],
    ),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'img_shape', 'img_key', 'video_id', 'timestamp')),
]
# A centre crop of 7/8 of the short side.
val_pipeline = [
    dict(type='ImageDecode'),
    dict(type='BuildPseudoClip', clip_len=1),
    dict(type='PillowResize', scale=(-1, 256), interpolation='bicubic'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'img_shape', 'img_key', 'video_id', 'timestamp')),
]
test_pipeline = val_pipeline

train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='ImageFolderDataset', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ImageFolderDataset', pipeline=val_pipeline, test_mode=True),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='RobustAccMetric')
test_evaluator = val_evaluator
