# Table 5e: 4 and 2 frames are left after layers 6 and 8. Paper: 60 GFLOPs, 75.3 %. Here: 60.1 in the paper's
# convention, 96.1 multiply-adds.
_base_ = '../../cvidtr_s_k400.py'

model = dict(backbone=dict(pool_layers=(6, 8), pool_frames=(4, 2)))
