# Table 6, 8 tokens for each of the 16 frames. Paper: 70.4 / 88.2 %, 2.86 GFLOPs. Here: 2.860.
_base_ = '../../vmf_2g_k400.py'

model = dict(backbone=dict(num_tokens=8, tokens_per_frame=True))
