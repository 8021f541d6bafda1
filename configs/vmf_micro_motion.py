# A Video Mobile-Former for the quick start's motion clips; the data set, this size and the settings are ours, not the
# paper's. 15.20 MFLOPs a clip; mobile3d_micro_motion.py is the Mobile3D of the same cost.
_base_ = [
    '_base_/models/vmf_1g.py',
    '_base_/data/motion.py',
    '_base_/pipelines/motion.py',
    '_base_/schedules/motion_12e.py',
]

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, dim=16, num_blocks=(1, 1, 2), expansion=2.25, temporal_strides=(2, 1, 1, 1)),
        out_indices=(2,),
    ),
    cls_head=dict(num_classes=_base_.motion.num_classes, in_channels=64, hidden_dim=256, dropout_ratio=0.0),
)

train_dataloader = dict(dataset=_base_.motion.train)
val_dataloader = test_dataloader = dict(dataset=_base_.motion.val)
