# Table 5, Video-Mobile-Former-1G, one clip of 64 frames. Paper: 71.1 / 90.0 %, 1.43 GFLOPs.
# The optimiser settings are ours.
_base_ = [
    '_base_/models/vmf_1g.py',
    '_base_/data/k600.py',
    '_base_/pipelines/vmf_224.py',
    '_base_/schedules/sgd_256e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=_base_.k600.num_classes))
train_dataloader = dict(dataset=_base_.k600.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k600.val)
