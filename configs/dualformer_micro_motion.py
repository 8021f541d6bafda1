# A DualFormer small enough to train on a laptop's CPU in minutes. The motion data set and this size are ours, not the
# paper's: they are what the quick start runs.
_base_ = [
    '_base_/models/dualformer_t.py',
    '_base_/data/motion.py',
    '_base_/pipelines/motion.py',
    '_base_/schedules/motion_12e.py',
]

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=(32, 64, 128), num_blocks=(1, 1, 1), num_heads=(2, 4, 8)),
        clip_size=(18, 32, 32),
        window_size=(9, 4, 4),
        temporal_strides=(1, 1),
        block_types=('LG', 'LG', 'LG'),
        fine_sizes=((3, 2, 2), (3, 2, 2), 'whole'),
        coarse_sizes=(None, None, None),
        drop_path_rate=0.0,
        out_indices=(2,),
    ),
    cls_head=dict(num_classes=_base_.motion.num_classes, in_channels=128, dropout_ratio=0.0),
)

train_dataloader = dict(dataset=_base_.motion.train)
val_dataloader = test_dataloader = dict(dataset=_base_.motion.val)
