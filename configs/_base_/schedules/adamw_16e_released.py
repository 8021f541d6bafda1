# The schedule of the released HMDB-51 and UCF-101 configs, as adamw_30e_released.py; 8 GPUs x 16 clips.
_base_ = 'adamw_30e_released.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=0, end=16),
]
train_cfg = dict(max_epochs=16)

auto_scale_lr = dict(base_batch_size=128)
