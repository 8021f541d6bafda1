# Table 5, Video-Mobile-Former-560M, one clip of 64 frames. Paper: 65.8 / 86.3 %, 0.56 GFLOPs.
# The optimiser settings are ours.
_base_ = [
    '_base_/models/vmf_560m.py',
    '_base_/data/k600.py',
    '_base_/pipelines/vmf_172.py',
    '_base_/schedules/sgd_256e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=_base_.k600.num_classes))
train_dataloader = dict(dataset=_base_.k600.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k600.val)
