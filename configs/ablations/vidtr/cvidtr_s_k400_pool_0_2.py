# Table 5e: 4 and 2 frames are left after layers 0 and 2. Paper: 26 GFLOPs, 72.9 %. Here: 26.8 in the paper's
# convention, 44.7 multiply-adds.
_base_ = '../../cvidtr_s_k400.py'

model = dict(backbone=dict(pool_layers=(0, 2), pool_frames=(4, 2)))
