# Table 5f: 4 and 2 frames are left after layers 1 and 2. Paper: 30 GFLOPs, 73.9 %. Here: 30.5 in the paper's
# convention, 50.5 multiply-adds.
_base_ = '../../cvidtr_s_k400.py'

model = dict(backbone=dict(pool_layers=(1, 2), pool_frames=(4, 2)))
