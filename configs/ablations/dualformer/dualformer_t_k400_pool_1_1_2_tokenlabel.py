# Table 7: dualformer_t_k400_pool_1_1_2.py with token labels, as the default row of the table has them.
_base_ = ['dualformer_t_k400_pool_1_1_2.py', '../../_base_/models/token_labels.py']

model = _base_.token_labels
