# The paper's schedule for the smaller data sets (Section 4.2): that of Kinetics in 16 epochs, one of them warm-up.
_base_ = 'adamw_30e.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=1, end=16, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=16)
