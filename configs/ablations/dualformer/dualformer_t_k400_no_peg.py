# Table 6, without PEG. Paper: 78.9 %.
_base_ = '../../dualformer_t_k400.py'

model = dict(backbone=dict(position='none'))
