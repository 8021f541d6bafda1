# Table 3, Video-Mobile-Former-1G, one clip of 64 frames. Paper: 67.4 / 87.4 %, 1.43 GFLOPs. Here: 1.428.
# The optimiser settings are ours.
_base_ = [
    '_base_/models/vmf_1g.py',
    '_base_/data/k400.py',
    '_base_/pipelines/vmf_224.py',
    '_base_/schedules/sgd_256e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=_base_.k400.num_classes))
train_dataloader = dict(dataset=_base_.k400.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k400.val)
