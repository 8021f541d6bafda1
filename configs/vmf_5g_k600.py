# Table 5, Video-Mobile-Former-5G, one clip of 64 frames. Paper: 76.4 / 92.7 %, 5.61 GFLOPs.
# The optimiser settings are ours.
_base_ = [
    '_base_/models/vmf_5g.py',
    '_base_/data/k600.py',
    '_base_/pipelines/vmf_224.py',
    '_base_/schedules/sgd_256e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=_base_.k600.num_classes))
train_dataloader = dict(dataset=_base_.k600.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k600.val)
