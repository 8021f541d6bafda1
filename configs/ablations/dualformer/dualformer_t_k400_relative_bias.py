# Table 6, Swin's relative position bias in LW-MSA in place of PEG, without weight decay as in Swin. Paper: 79.3 %.
_base_ = '../../dualformer_t_k400.py'

model = dict(backbone=dict(position='relative_bias'))

optim_wrapper = dict(paramwise_cfg=dict(relative_position_bias_table=dict(decay_mult=0.0)))
