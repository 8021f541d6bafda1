# Video Mobile-Former's Table 5, MViT-80G. Paper: 73.2 / 91.6 %, 80.3 GFLOPs.
_base_ = ['mvit_80g_k400.py', '../_base_/data/k600.py']

model = dict(cls_head=dict(num_classes=_base_.k600.num_classes))
train_dataloader = dict(dataset=_base_.k600.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k600.val)
