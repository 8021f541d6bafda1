# Table 9, Video-Mobile-Former of depth 24. Paper: 71.8 / 89.9 %, 2.85 GFLOPs. Here: 2.851.
_base_ = '../../vmf_1g_k400.py'

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, dim=16, num_blocks=(3, 6, 9, 6), expansion=2.25, temporal_strides=(4, 1, 1, 1, 1))
    )
)
