# A VidTr for a laptop and few videos: 16 frames over the whole clip, 64 x 64 pixels, in cubic patches of two frames.
# The size is ours, not the paper's.
_base_ = 'vidtr_s.py'

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=80, num_layers=4, num_heads=4, feedforward_channels=320),
        clip_size=(16, 64, 64),
        patch_size=(2, 8, 8),
        drop_rate=0.0,
        attn_drop_rate=0.0,
    ),
    cls_head=dict(in_channels=80, dropout_ratio=0.3),
)
