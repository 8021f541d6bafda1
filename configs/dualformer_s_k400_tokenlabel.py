# Table 9 and Table 1, DualFormer-S trained with token labels of DualFormer-B. Paper: 80.6 %, 80.3 % without.
_base_ = ['dualformer_s_k400_in1k.py', '_base_/models/token_labels.py']

model = _base_.token_labels
