# The 2D model is the same backbone made for clips of one frame. It is trained with the regularisation of DeiT
# (arXiv:2012.12877, Table 9), which the supplement (A.2) takes over: stochastic depth 0.1, label smoothing 0.1, and for
# every batch either mixup or cutmix, which a leaf gives the classes of its data.
_base_ = 'dualformer_t.py'

model = dict(
    backbone=dict(clip_size=(1, 224, 224), drop_path_rate=0.1),
    cls_head=dict(dropout_ratio=0.0, label_smooth_eps=0.1),
    data_preprocessor=dict(blending=dict(type='RandomBatchAugment')),
)
mixup = dict(type='MixupBlending', alpha=0.8)
cutmix = dict(type='CutmixBlending', alpha=1.0)
