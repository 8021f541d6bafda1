# Video Mobile-Former's Table 5, MViT-27G. Paper: 63.7 / 86.3 %, 26.8 GFLOPs.
_base_ = ['mvit_27g_k400.py', '../_base_/data/k600.py']

model = dict(cls_head=dict(num_classes=_base_.k600.num_classes))
train_dataloader = dict(dataset=_base_.k600.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k600.val)
