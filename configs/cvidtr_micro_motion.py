# A compact VidTr as small as vidtr_micro_motion.py: of nine temporal tokens six and four are left after layers 1 and 2.
# It has two layers more, as those after the pooling cost little. It does not solve the task yet (docs/vidtr.md).
_base_ = 'vidtr_micro_motion.py'

model = dict(backbone=dict(arch=dict(num_layers=6), pool_layers=(1, 2), pool_frames=(6, 4)))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=1, end=24, convert_to_iter_based=True)
]
train_cfg = dict(max_epochs=24)
