# The paper's schedule for the smaller data sets (Section 4.2): that of Kinetics in 16 epochs, one of them warm-up.
_base_ = 'adamw_30e.py'

warmup = dict(_base_.warmup, end=1)
cosine = dict(_base_.cosine, begin=1, end=16)
param_scheduler = [warmup, cosine]
train_cfg = dict(max_epochs=16)
