# DualFormer-B in 2D on ImageNet-21K (supplement, A.2), to start video models from.
_base_ = [
    '_base_/models/dualformer_b_2d.py',
    '_base_/datasets/imagenet21k.py',
    '_base_/schedules/adamw_100e.py',
    '_base_/default_runtime.py',
]

model = dict(
    backbone=dict(drop_path_rate=0.2),
    cls_head=dict(num_classes=21841),
    data_preprocessor=dict(
        blending=dict(
            augments=[
                dict(type='MixupBlending', num_classes=21841, alpha=0.8),
                dict(type='CutmixBlending', num_classes=21841, alpha=1.0),
            ]
        )
    ),
)

val_cfg = val_dataloader = val_evaluator = None  # the data set has no validation set
