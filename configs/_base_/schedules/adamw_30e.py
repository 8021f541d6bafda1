# The paper's Kinetics schedule (Section 4.2): AdamW, 30 epochs with 2.5 of linear warm-up, cosine to 0, a ten times
# smaller learning rate for the pretrained backbone than for the head, and no weight decay on norms and PEG.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.02),
    constructor='SwinOptimWrapperConstructor',
    paramwise_cfg=dict(norm=dict(decay_mult=0.0), peg=dict(decay_mult=0.0), backbone=dict(lr_mult=0.1)),
)

warmup = dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=2.5, convert_to_iter_based=True)
cosine = dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=2.5, end=30, convert_to_iter_based=True)
param_scheduler = [warmup, cosine]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=30, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# 8 GPUs x 8 clips; --auto-scale-lr scales the learning rate to another batch.
auto_scale_lr = dict(enable=False, base_batch_size=64)
