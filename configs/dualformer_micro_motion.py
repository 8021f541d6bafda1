# A DualFormer small enough to train on a laptop's CPU in minutes. The motion data set and this size are ours, not the
# paper's: they are what the quick start runs.
_base_ = ['_base_/models/dualformer_t.py', '_base_/datasets/motion.py', '_base_/default_runtime.py']

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=(32, 64, 128), num_blocks=(1, 1, 1), num_heads=(2, 4, 8)),
        clip_size=(18, 32, 32),
        window_size=(9, 4, 4),
        temporal_strides=(1, 1),
        block_types=('LG', 'LG', 'LG'),
        fine_sizes=((3, 2, 2), (3, 2, 2), 'whole'),
        coarse_sizes=(None, None, None),
        drop_path_rate=0.,
        out_indices=(2, )),
    cls_head=dict(num_classes=8, in_channels=128, dropout_ratio=0.))

optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0., bias_decay_mult=0.),
    clip_grad=dict(max_norm=1.))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=1, end=12, convert_to_iter_based=True)
]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=12, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

default_hooks = dict(logger=dict(interval=25), checkpoint=dict(max_keep_ckpts=1))
randomness = dict(seed=0)
auto_scale_lr = dict(enable=False, base_batch_size=16)
