# A control: the same model on one frame of each clip. It must stay near chance, one in eight.
_base_ = '../../dualformer_micro_motion.py'

model = dict(backbone=dict(clip_size=(1, 32, 32), fine_sizes=((1, 2, 2), (1, 2, 2), 'whole')))

train_pipeline = _base_.train_pipeline
train_pipeline[1].clip_len = 1
val_pipeline = _base_.val_pipeline
val_pipeline[1].clip_len = 1
test_pipeline = val_pipeline

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
