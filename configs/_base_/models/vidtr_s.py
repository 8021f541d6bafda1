# Mean and deviation are those of the released models; the paper has none.
model = dict(
    type='MixedSizeRecognizer3D',
    backbone=dict(type='VidTr', arch='small'),
    cls_head=dict(type='TimeSformerHead', in_channels=768, dropout_ratio=0.5, average_clips='prob'),
    data_preprocessor=dict(
        type='MixedSizeDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
)
