# Table 9, Mobile3D of depth 24. Paper: 68.8 / 88.7 %, 2.53 GFLOPs. Here: 2.535.
_base_ = '../../mobile3d_1g_k400.py'

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, dim=16, num_blocks=(3, 6, 9, 6), expansion=2.25, temporal_strides=(4, 1, 1, 1, 1))
    )
)
