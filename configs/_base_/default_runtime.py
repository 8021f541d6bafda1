default_scope = 'mmaction'
custom_imports = dict(imports=['mmdualformer'])  # registers the models and mends the installed stack

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=1, save_best='auto', max_keep_ckpts=3, interval_minutes=10),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    sync_buffers=dict(type='SyncBuffersHook'),
    non_finite=dict(type='NonFiniteHook', policy='stop', patience=3),
    loss_spike=dict(type='LossSpikeHook'),
    interruption=dict(type='InterruptionHook', requeue=True),
    stall=dict(type='StallHook', limit_minutes=20),
)

custom_hooks = [dict(type='UnreadableVideosHook'), dict(type='SelfContainedCheckpointHook')]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl', timeout=1800),  # gloo where there is no GPU; longer than the limit of StallHook
)

log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)

log_level = 'INFO'
load_from = None
resume = False
