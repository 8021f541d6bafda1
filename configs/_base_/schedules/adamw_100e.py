# The supplement's schedule for ImageNet-21K (A.2): AdamW, 100 epochs with 5 of linear warm-up, linear decay. Where it
# is silent, as on ImageNet-1K, and a decay to 1 % as in Swin's code, which it follows.
_base_ = 'adamw_300e.py'

optim_wrapper = dict(optimizer=dict(lr=5e-4, weight_decay=0.01))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=True, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type='LinearLR', start_factor=1.0, end_factor=0.01, by_epoch=True, begin=5, end=100, convert_to_iter_based=True
    ),
]

train_cfg = dict(max_epochs=100)
