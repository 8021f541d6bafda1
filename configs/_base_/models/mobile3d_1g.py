_base_ = 'vmf_1g.py'

model = dict(
    backbone=dict(type='Mobile3D'),
    cls_head=dict(_delete_=True, type='X3DHead', in_channels=288, dropout_ratio=0.5, average_clips='prob'),
)
