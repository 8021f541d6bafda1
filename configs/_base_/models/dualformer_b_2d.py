_base_ = 'dualformer_t_2d.py'

model = dict(backbone=dict(arch='base'), cls_head=dict(in_channels=1024))
