# The schedule of the released HMDB-51 and UCF-101 configs, as adamw_30e_released.py; 8 GPUs x 16 clips.
_base_ = 'adamw_30e_released.py'

warmup = dict(_base_.warmup, end=1)
cosine_by_epoch = dict(_base_.cosine_by_epoch, end=16)
param_scheduler = [warmup, cosine_by_epoch]
train_cfg = dict(max_epochs=16)

auto_scale_lr = dict(base_batch_size=128)
