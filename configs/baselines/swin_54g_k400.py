# Video Mobile-Former's Table 3, VideoSwin-54G: VideoSwin-212G with 44 channels. Paper: 62.2 / 85.0 %, 53.8 GFLOPs.
# Here: 53.9.
_base_ = 'swin_212g_k400.py'

model = dict(backbone=dict(arch=dict(embed_dims=44, num_heads=[2, 4, 8, 16])), cls_head=dict(in_channels=352))
