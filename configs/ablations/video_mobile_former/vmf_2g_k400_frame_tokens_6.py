# Table 6, 6 tokens for each of the 16 frames. Paper: 71.4 / 89.3 %, 2.75 GFLOPs. Here: 2.754.
_base_ = '../../vmf_2g_k400.py'

model = dict(backbone=dict(num_tokens=6, tokens_per_frame=True))
