# Fine-tuning on the smaller data sets. The paper prints no settings: these are ours.
_base_ = 'sgd_256e.py'

optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=2, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=2, end=48, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=48, val_interval=1)
