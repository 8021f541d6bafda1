# A compact VidTr as small as vidtr_micro_motion.py: of nine temporal tokens six and four are left after layers 1 and 2.
# It has two layers more, as those after the pooling cost little.
_base_ = 'vidtr_micro_motion.py'

model = dict(backbone=dict(arch=dict(num_layers=6), pool_layers=(1, 2), pool_frames=(6, 4)))
