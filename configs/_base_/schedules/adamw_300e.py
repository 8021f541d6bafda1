# The supplement's schedule for ImageNet-1K (A.2): AdamW, 300 epochs with 20 of linear warm-up, cosine decay. Where it
# is silent, DeiT's code: warm-up from 1e-6, cosine to 1e-5, no weight decay on biases and norms. As on videos, there is
# none on the PEG either.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(flat_decay_mult=0.0, custom_keys=dict(peg=dict(decay_mult=0.0))),
)

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=True, begin=0, end=20, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, by_epoch=True, begin=20, end=300, convert_to_iter_based=True),
]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=300, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# 8 GPUs x 128 images; --auto-scale-lr scales the learning rate to another batch.
auto_scale_lr = dict(enable=False, base_batch_size=1024)

randomness = dict(seed=None, diff_rank_seed=True)  # each process blends its batch in its own way, as in DeiT's code
