# Table 9, Mobile3D of depth 16. Paper: 65.7 / 87.1 %, 1.90 GFLOPs. Here: 1.899.
_base_ = '../../mobile3d_1g_k400.py'

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, dim=16, num_blocks=(2, 4, 6, 4), expansion=2.25, temporal_strides=(4, 1, 1, 1, 1))
    )
)
