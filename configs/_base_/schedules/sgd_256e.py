# X3D's Kinetics schedule (arXiv:2004.04730). The Video Mobile-Former paper prints no optimiser settings; that it trains
# from scratch is all it says, so this choice is ours.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=5e-5, nesterov=True),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=35, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=35, end=256, convert_to_iter_based=True),
]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=256, val_begin=1, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# 8 GPUs x 16 clips; --auto-scale-lr scales the learning rate to another batch.
auto_scale_lr = dict(enable=False, base_batch_size=128)
