# Table 4: dualformer_t_k400_16x4_window_4x7x7.py with token labels, as the default row of the table has them.
_base_ = ['dualformer_t_k400_16x4_window_4x7x7.py', '../../_base_/models/token_labels.py']

model = _base_.token_labels
