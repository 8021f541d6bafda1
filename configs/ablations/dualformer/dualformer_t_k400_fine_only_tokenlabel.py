# Table 3: dualformer_t_k400_fine_only.py with token labels, as the default row of the table has them.
_base_ = ['dualformer_t_k400_fine_only.py', '../../_base_/models/token_labels.py']

model = _base_.token_labels
