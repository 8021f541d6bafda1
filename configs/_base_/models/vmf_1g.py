# The paper gives neither dropout nor initialisation: both are ours, X3D's dropout.
model = dict(
    type='MixedSizeRecognizer3D',
    backbone=dict(type='VideoMobileFormer', arch='1g'),
    cls_head=dict(type='VideoMobileFormerHead', in_channels=128, dropout_ratio=0.5, average_clips='prob'),
    data_preprocessor=dict(
        type='MixedSizeDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
)
