# C-VidTr-M on Kinetics-400 as released: ReLU, the sampling of the authors' loader, and a learning rate of 0.01 for 8
# GPUs of 8 clips.
_base_ = 'vidtr_m_k400_released.py'

model = dict(backbone=dict(arch='compact_medium'))

train_dataloader = dict(batch_size=8)
auto_scale_lr = dict(base_batch_size=64)
