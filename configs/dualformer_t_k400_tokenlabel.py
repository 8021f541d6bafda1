# Table 9 and Table 1, DualFormer-T trained with token labels of DualFormer-B (Appendix A.3, B.1). Paper: 79.5 %, 79.0 %
# without. The teacher labels each batch; dualformer_t_k400_tokenlabel_offline.py reads its labels from disk.
_base_ = ['dualformer_t_k400_in1k.py', '_base_/models/token_labels.py']

model = _base_.token_labels
