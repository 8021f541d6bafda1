# Tables 5e and 5f: 4 and 2 frames are left after layers 1 and 3. Paper: 32 GFLOPs, 74.9 %. Here: 32.4 in the paper's
# convention, 53.3 multiply-adds.
_base_ = '../../cvidtr_s_k400.py'

model = dict(backbone=dict(pool_layers=(1, 3), pool_frames=(4, 2)))
