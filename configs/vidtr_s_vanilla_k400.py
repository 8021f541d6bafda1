# Table 2, Vanilla-Tr, and Table 5b, WHT: joint attention of all tokens of 8 frames, one in eight. Paper: 77.5 / 93.2 %,
# 89 GFLOPs a view. Here: 89.7 in the paper's convention, 179.6 multiply-adds. From random weights, as vidtr_s_k400.py.
_base_ = [
    '_base_/models/vidtr_s.py',
    '_base_/data/k400.py',
    '_base_/pipelines/vidtr_8x8.py',
    '_base_/schedules/sgd_50e.py',
    '_base_/default_runtime.py',
]

model = dict(backbone=dict(attention='joint'), cls_head=dict(num_classes=_base_.k400.num_classes))
train_dataloader = dict(dataset=_base_.k400.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k400.val)
