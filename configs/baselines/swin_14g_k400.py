# Video Mobile-Former's Table 3, VideoSwin-14G: VideoSwin-212G with 32 channels and patches of 8 frames. Paper: 42.4 /
# 69.9 %, 13.9 GFLOPs. Here: 13.9.
_base_ = 'swin_212g_k400.py'

model = dict(
    backbone=dict(arch=dict(embed_dims=32, num_heads=[1, 2, 4, 8]), patch_size=(8, 4, 4)),
    cls_head=dict(in_channels=256),
)
