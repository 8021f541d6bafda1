# DualFormer-S on UCF-101, split 1, as released, which is as dualformer_s_hmdb51.py.
_base_ = ['dualformer_s_hmdb51_released.py', '../_base_/data/ucf101.py']

model = dict(cls_head=dict(num_classes=_base_.ucf101.num_classes))
train_dataloader = dict(dataset=_base_.ucf101.train)
val_dataloader = test_dataloader = dict(dataset=_base_.ucf101.val)
