# A Video Mobile-Former for a laptop and few videos: 16 frames over the whole clip, 64 x 64 pixels.
# The size is ours, not the paper's.
_base_ = 'vmf_1g.py'

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, dim=16, num_blocks=(1, 1, 2), expansion=2.25, temporal_strides=(2, 1, 1, 1)),
        token_dim=48,
        out_indices=(2,),
    ),
    cls_head=dict(in_channels=64, token_dim=48, expansion=3, hidden_dim=192, dropout_ratio=0.3),
)
