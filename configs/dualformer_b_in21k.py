# DualFormer-B in 2D on ImageNet-21K (supplement, A.2), to start video models from.
_base_ = [
    '_base_/models/dualformer_t_2d.py',
    '_base_/data/imagenet21k.py',
    '_base_/pipelines/imagenet.py',
    '_base_/schedules/adamw_100e.py',
    '_base_/default_runtime.py',
]

model = dict(
    backbone=dict(arch='base', drop_path_rate=0.2),
    cls_head=dict(in_channels=1024, num_classes=_base_.imagenet21k.num_classes),
    data_preprocessor=dict(
        blending=dict(
            augments=[
                dict(_base_.mixup, num_classes=_base_.imagenet21k.num_classes),
                dict(_base_.cutmix, num_classes=_base_.imagenet21k.num_classes),
            ]
        )
    ),
)

train_dataloader = dict(dataset=_base_.imagenet21k.train)
test_dataloader = dict(dataset=_base_.imagenet21k.val)
val_cfg = val_dataloader = val_evaluator = None  # the data set has no validation set
