# DualFormer-S with token labels as released: the teacher labels in train mode.
_base_ = ['dualformer_s_k400_released.py', '../_base_/models/token_labels.py']

model = dict(_base_.token_labels, teacher=dict(_base_.token_labels.teacher, train_mode=True))
