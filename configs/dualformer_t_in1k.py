# DualFormer-T in 2D on ImageNet-1K (supplement, A.2). Paper: 81.9 %, 4.2 GFLOPs, 22 M parameters. Here: 2.9 GFLOPs,
# which is what its layers cost, 22.2 M.
_base_ = [
    '_base_/models/dualformer_t_2d.py',
    '_base_/data/imagenet1k.py',
    '_base_/pipelines/imagenet.py',
    '_base_/schedules/adamw_300e.py',
    '_base_/default_runtime.py',
]

model = dict(
    cls_head=dict(num_classes=_base_.imagenet1k.num_classes),
    data_preprocessor=dict(
        blending=dict(
            augments=[
                dict(_base_.mixup, num_classes=_base_.imagenet1k.num_classes),
                dict(_base_.cutmix, num_classes=_base_.imagenet1k.num_classes),
            ]
        )
    ),
)

train_dataloader = dict(dataset=_base_.imagenet1k.train)
val_dataloader = test_dataloader = dict(dataset=_base_.imagenet1k.val)
