# For few videos and a small model, for a batch of 16.
_base_ = 'motion_12e.py'

optim_wrapper = dict(optimizer=dict(lr=3e-3))
# fit makes both anew, for the videos and the batch
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=10),
    dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=0, end=30, convert_to_iter_based=True),
]

train_cfg = dict(max_epochs=30)
