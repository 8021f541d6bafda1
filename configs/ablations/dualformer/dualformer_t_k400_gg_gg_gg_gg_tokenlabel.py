# Table 3: dualformer_t_k400_gg_gg_gg_gg.py with token labels, as the default row of the table has them.
_base_ = ['dualformer_t_k400_gg_gg_gg_gg.py', '../../_base_/models/token_labels.py']

model = _base_.token_labels
