# Section 3.3, C-VidTr-M in a single pass: 16 frames from all over the video, in training one of each of as many
# segments (TSN's sampling). Accuracies are in the paper's supplement, which we do not have; the one crop is ours.
_base_ = '../../cvidtr_m_k400.py'

train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
train_pipeline[1] = dict(type='UniformSample', clip_len=16)
val_pipeline[1] = dict(type='UniformSample', clip_len=16, test_mode=True)
val_pipeline[3].scale = (-1, 224)
test_pipeline = val_pipeline

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
