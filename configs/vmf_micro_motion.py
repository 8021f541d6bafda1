# A Video Mobile-Former for the quick start's motion clips; the data set, this size and the settings are ours, not the
# paper's. 15.20 MFLOPs a clip; mobile3d_micro_motion.py is the Mobile3D of the same cost.
_base_ = ['_base_/models/vmf_1g.py', '_base_/datasets/motion.py', '_base_/default_runtime.py']

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, dim=16, num_blocks=(1, 1, 2), expansion=2.25, temporal_strides=(2, 1, 1, 1)),
        out_indices=(2, )),
    cls_head=dict(num_classes=8, in_channels=64, hidden_dim=256, dropout_ratio=0.))

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
