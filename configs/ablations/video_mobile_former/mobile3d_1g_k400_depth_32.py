# Table 9, Mobile3D of depth 32. Paper: 70.0 / 89.5 %, 3.17 GFLOPs. Here: 3.170.
_base_ = '../../mobile3d_1g_k400.py'

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, dim=16, num_blocks=(4, 8, 12, 8), expansion=2.25, temporal_strides=(4, 1, 1, 1, 1))
    )
)
