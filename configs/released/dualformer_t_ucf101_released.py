# DualFormer-T on UCF-101, split 1, as released: 4x3 views, and pixels that are centred only. Its model of 16 frames has
# fine priors of 8x7x7, 29.9 GFLOPs, so the Kinetics-400 model of 32 frames does not fill its downsampling kernels. Like
# the released code, this starts from that model and leaves those kernels at random, as does MMEngine's Pretrained.
_base_ = [
    '../_base_/models/dualformer_t.py',
    '../_base_/data/ucf101.py',
    '../_base_/pipelines/dualformer_16x4_released.py',
    '../_base_/schedules/adamw_16e_released.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        clip_size=(16, 224, 224),
        fine_sizes=((8, 7, 7), (8, 7, 7), (8, 7, 7), 'whole'),
        drop_path_rate=0.2,
        init_cfg=dict(type='Pretrained', prefix='backbone.', checkpoint='checkpoints/dualformer_t_k400.pth'),
    ),
    cls_head=dict(num_classes=_base_.ucf101.num_classes),
    data_preprocessor=dict(mean=[104, 117, 128], std=[1, 1, 1]),
)

train_dataloader = dict(batch_size=16, dataset=_base_.ucf101.train)
val_dataloader = test_dataloader = dict(dataset=_base_.ucf101.val)

optim_wrapper = dict(optimizer=dict(weight_decay=0.05))
