# The schedule of the released Kinetics configs, where it is another than that of the paper's text (adamw_30e.py). Their
# parameter groups go by the longest key that a name holds: the PEG learns like the head, at 1e-3, and norms are
# decayed. The cosine runs from epoch 0 and steps by epoch, under the warm-up too.
_base_ = 'adamw_30e.py'

optim_wrapper = dict(
    constructor='DefaultOptimWrapperConstructor',
    paramwise_cfg=dict(_delete_=True, custom_keys={'.peg.conv.': dict(decay_mult=0.0), 'backbone': dict(lr_mult=0.1)}),
)

cosine_by_epoch = dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=0, end=30)
param_scheduler = [_base_.warmup, cosine_by_epoch]
