# Table 8, temporal downsampling in each stage rather than in the stem. Paper: 61.9 / 83.0 %, 1.14 GFLOPs. Here: 1.145.
_base_ = '../../vmf_560m_k400.py'

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, dim=16, num_blocks=(1, 2, 3, 2), expansion=2.25, temporal_strides=(1, 2, 2, 2, 2))
    )
)
