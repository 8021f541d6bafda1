# Table 9, Video-Mobile-Former of depth 16. Paper: 70.3 / 89.3 %, 2.14 GFLOPs. Here: 2.139.
_base_ = '../../vmf_1g_k400.py'

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, dim=16, num_blocks=(2, 4, 6, 4), expansion=2.25, temporal_strides=(4, 1, 1, 1, 1))
    )
)
