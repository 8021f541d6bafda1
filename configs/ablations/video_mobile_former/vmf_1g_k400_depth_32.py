# Table 9, Video-Mobile-Former of depth 32. Paper: 71.9 / 89.9 %, 3.56 GFLOPs. Here: 3.563.
_base_ = '../../vmf_1g_k400.py'

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, dim=16, num_blocks=(4, 8, 12, 8), expansion=2.25, temporal_strides=(4, 1, 1, 1, 1))
    )
)
