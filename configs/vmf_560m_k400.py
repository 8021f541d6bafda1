# Table 3, Video-Mobile-Former-560M, one clip of 64 frames. Paper: 62.6 / 83.7 %, 0.56 GFLOPs. Here: 0.553.
# The optimiser settings are ours.
_base_ = [
    '_base_/models/vmf_560m.py',
    '_base_/data/k400.py',
    '_base_/pipelines/vmf_172.py',
    '_base_/schedules/sgd_256e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=_base_.k400.num_classes))
train_dataloader = dict(dataset=_base_.k400.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k400.val)
