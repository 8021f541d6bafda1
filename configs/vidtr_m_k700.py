# Table 6, VidTr-M on Kinetics-700, from Kinetics-400. Paper: 69.5 %. It gives no schedule of its own; this is that of
# Kinetics-400.
_base_ = ['vidtr_m_k400.py', '_base_/data/k700.py']

model = dict(cls_head=dict(num_classes=_base_.k700.num_classes))
train_dataloader = dict(dataset=_base_.k700.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k700.val)

load_from = 'checkpoints/vidtr_m_k400.pth'
