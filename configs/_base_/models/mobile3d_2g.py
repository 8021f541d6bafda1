_base_ = 'mobile3d_1g.py'

model = dict(backbone=dict(arch='2g'), cls_head=dict(in_channels=432))
