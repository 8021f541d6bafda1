# The paper's schedule (Section 3.3): SGD, 50 epochs, learning rate 0.01, a tenth of it after epochs 25 and 40, on 64
# GPUs with 6 clips each. Momentum is that of the released configs; mixed precision is ours.
optim_wrapper = dict(type='AmpOptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-5))

param_scheduler = [dict(type='MultiStepLR', milestones=[25, 40], gamma=0.1, by_epoch=True, begin=0, end=50)]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# --auto-scale-lr scales the learning rate to another batch. The released configs do not: 0.01 for 8 GPUs of 1
# (VidTr-L), 3 (VidTr-S, -M) or 8 (C-VidTr-S) clips.
auto_scale_lr = dict(enable=False, base_batch_size=384)
