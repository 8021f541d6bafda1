# DualFormer-S on Kinetics-600 from random weights. The paper does not report it.
_base_ = [
    '_base_/models/dualformer_s.py',
    '_base_/datasets/k600.py',
    '_base_/schedules/adamw_30e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=600))
