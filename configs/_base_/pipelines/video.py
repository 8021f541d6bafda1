# What the pipelines of videos share: their steps by name, and the loaders. A pipeline is
# [init, how frames are sampled, decode, *crop, *pack]. Messages name a clip by its file, which is packed for that.
init = dict(type='VideoInit')
decode = dict(type='VideoDecode')
pack_inputs = dict(type='PackActionInputs', meta_keys=('filename', 'img_shape', 'img_key', 'video_id', 'timestamp'))
pack = [dict(type='FormatShape', input_format='NCTHW'), pack_inputs]

# Crops to train on, of 224 x 224 pixels.
random_resized_crop = [
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
]
random_crop = [
    dict(type='RandomRescale', scale_range=(256, 320)),
    dict(type='RandomCrop', size=224),
    dict(type='Flip', flip_ratio=0.5),
]
# Crops to test on: of a short side of 224 pixels, unless the name says 256.
centre_crop = [dict(type='Resize', scale=(-1, 224)), dict(type='CenterCrop', crop_size=224)]
centre_crop_of_256 = [dict(type='Resize', scale=(-1, 256)), dict(type='CenterCrop', crop_size=224)]
three_crops = [dict(type='Resize', scale=(-1, 224)), dict(type='ThreeCrop', crop_size=224)]

train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='RobustVideoDataset'),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='RobustVideoDataset', test_mode=True),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='RobustVideoDataset', test_mode=True),
)

val_evaluator = dict(type='RobustAccMetric')
test_evaluator = val_evaluator
