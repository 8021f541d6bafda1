model = dict(
    type='MixedSizeRecognizer3D',
    backbone=dict(type='DualFormer', arch='tiny', clip_size=(32, 224, 224), drop_path_rate=0.1),
    cls_head=dict(type='I3DHead', in_channels=512, spatial_type='avg', dropout_ratio=0.5, average_clips='prob'),
    data_preprocessor=dict(
        type='MixedSizeDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
)
