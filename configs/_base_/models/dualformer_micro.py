# A DualFormer for a laptop and few videos: 16 frames over the whole clip, 64 x 64 pixels.
# The size is ours, not the paper's.
_base_ = 'dualformer_t.py'

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=(24, 48, 96), num_blocks=(1, 1, 1), num_heads=(2, 4, 8)),
        clip_size=(16, 64, 64),
        window_size=(8, 4, 4),
        temporal_strides=(1, 1),
        block_types=('LG', 'LG', 'LG'),
        fine_sizes=((4, 4, 4), (4, 4, 4), 'whole'),
        coarse_sizes=(None, None, None),
        drop_path_rate=0.0,
        out_indices=(2,),
    ),
    cls_head=dict(in_channels=96, dropout_ratio=0.3),
)
