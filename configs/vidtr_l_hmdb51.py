# Table 6, VidTr-L on HMDB-51, split 1, from Kinetics-400. Paper: 74.4 %.
_base_ = ['vidtr_l_k400.py', '_base_/data/hmdb51.py']

model = dict(cls_head=dict(num_classes=_base_.hmdb51.num_classes))
train_dataloader = dict(dataset=_base_.hmdb51.train)
val_dataloader = test_dataloader = dict(dataset=_base_.hmdb51.val)

# 6 epochs (Section 4.3); the steps, at the same shares of them as on Kinetics, are ours.
param_scheduler = [dict(type='MultiStepLR', milestones=[3, 5], gamma=0.1, by_epoch=True, begin=0, end=6)]
train_cfg = dict(max_epochs=6)

load_from = 'checkpoints/vidtr_l_k400.pth'
