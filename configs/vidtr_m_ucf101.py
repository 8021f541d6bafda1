# Table 6, VidTr-M on UCF-101, split 1, from Kinetics-400, as vidtr_m_hmdb51.py. Paper: 96.6 %.
_base_ = ['vidtr_m_hmdb51.py', '_base_/data/ucf101.py']

model = dict(cls_head=dict(num_classes=_base_.ucf101.num_classes))
train_dataloader = dict(dataset=_base_.ucf101.train)
val_dataloader = test_dataloader = dict(dataset=_base_.ucf101.val)
