# Table 6, 4 tokens for each of the 16 frames. Paper: 69.8 / 88.5 %, 2.65 GFLOPs. Here: 2.652.
_base_ = '../../vmf_2g_k400.py'

model = dict(backbone=dict(num_tokens=4, tokens_per_frame=True))
