# Table 6: dualformer_t_k400_relative_bias.py with token labels, as the default row of the table has them.
_base_ = ['dualformer_t_k400_relative_bias.py', '../../_base_/models/token_labels.py']

model = _base_.token_labels
