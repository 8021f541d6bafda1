# To learn motion from drawn scenes with a neck that asks every token, which takes fewer of them; for a batch of 16.
_base_ = 'motion_pretraining.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=0, end=3, convert_to_iter_based=True),
]

train_cfg = dict(max_epochs=3)

default_hooks = dict(logger=dict(interval=100))
auto_scale_lr = dict(base_batch_size=16)
