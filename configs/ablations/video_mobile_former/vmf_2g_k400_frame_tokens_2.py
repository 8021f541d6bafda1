# Table 6, 2 tokens for each of the 16 frames. Paper: 68.8 / 87.4 %, 2.55 GFLOPs. Here: 2.555.
_base_ = '../../vmf_2g_k400.py'

model = dict(backbone=dict(num_tokens=2, tokens_per_frame=True))
