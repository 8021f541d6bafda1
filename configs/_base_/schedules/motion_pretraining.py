# To learn motion from drawn scenes, for a batch of 32.
_base_ = 'motion_12e.py'

optim_wrapper = dict(optimizer=dict(lr=2e-3, weight_decay=0.02))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=0, end=5, convert_to_iter_based=True),
]

train_cfg = dict(max_epochs=5)

default_hooks = dict(logger=dict(interval=50), checkpoint=dict(save_best=None))
auto_scale_lr = dict(base_batch_size=32)
