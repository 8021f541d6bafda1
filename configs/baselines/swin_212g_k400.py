# Video Mobile-Former's Table 3, VideoSwin-212G: 12 views of 32 frames, here 4 clips and three crops as Video Swin is
# tested. Paper: 71.7 / 90.3 %, 212 GFLOPs. Here: 213.6. The paper does not describe its Video Swin, and many narrow and
# shallow ones cost that. This has one block in each stage, patches of 4x4x4 and 100 channels. The schedule is that of
# MMAction2's MViT from random weights, as no image model has this shape.
_base_ = [
    'mmaction::_base_/models/swin_tiny.py',
    '../_base_/data/k400.py',
    '../_base_/pipelines/dualformer_32x2.py',
    '../_base_/schedules/adamw_200e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='MixedSizeRecognizer3D',
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=100, depths=[1, 1, 1, 1], num_heads=[4, 8, 16, 32]),
        patch_size=(4, 4, 4),
        pretrained2d=False,
    ),
    data_preprocessor=dict(type='MixedSizeDataPreprocessor'),
    cls_head=dict(num_classes=_base_.k400.num_classes, in_channels=800),
)

test_pipeline = [_base_.init, _base_.test_sample, _base_.decode, *_base_.three_crops, *_base_.pack]

train_dataloader = dict(dataset=_base_.k400.train)
val_dataloader = dict(dataset=_base_.k400.val)
test_dataloader = dict(dataset=dict(**_base_.k400.val, pipeline=test_pipeline))
