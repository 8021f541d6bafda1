# Table 2, Mobile3D-5G, one clip of 64 frames. Paper: 70.8 / 89.8 %, 5.21 GFLOPs. Here: 5.205.
# The optimiser settings are ours.
_base_ = [
    '_base_/models/mobile3d_5g.py',
    '_base_/data/k400.py',
    '_base_/pipelines/vmf_224.py',
    '_base_/schedules/sgd_256e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=_base_.k400.num_classes))
train_dataloader = dict(dataset=_base_.k400.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k400.val)
