# A VidTr small enough to train on a CPU. The quick start's motion data set, this size and this recipe are ours, not the
# paper's. Cubic patches of two frames, as what moves from one frame to the next is then in a patch.
_base_ = [
    '_base_/models/vidtr_s.py',
    '_base_/data/motion.py',
    '_base_/pipelines/motion.py',
    '_base_/schedules/motion_12e.py',
]

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=96, num_layers=4, num_heads=3, feedforward_channels=384),
        clip_size=(18, 32, 32),
        patch_size=(2, 8, 8),
        drop_rate=0.0,
        attn_drop_rate=0.0,
    ),
    cls_head=dict(num_classes=_base_.motion.num_classes, in_channels=96, dropout_ratio=0.0),
)

train_dataloader = dict(dataset=_base_.motion.train)
val_dataloader = test_dataloader = dict(dataset=_base_.motion.val)

param_scheduler = [_base_.warmup, dict(_base_.cosine, end=16)]
train_cfg = dict(max_epochs=16)
