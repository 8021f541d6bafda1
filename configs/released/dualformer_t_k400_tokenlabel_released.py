# DualFormer-T with token labels as released: the teacher labels in train mode, 8 GPUs x 16 clips, 3 epochs of
# warm-up.
_base_ = ['dualformer_t_k400_released.py', '../_base_/models/token_labels.py']

model = dict(_base_.token_labels, teacher=dict(_base_.token_labels.teacher, train_mode=True))

train_dataloader = dict(batch_size=16)
auto_scale_lr = dict(base_batch_size=128)
