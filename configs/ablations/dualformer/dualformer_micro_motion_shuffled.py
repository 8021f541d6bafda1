# A control: the same model on the frames of each clip in random order. It must stay near chance, one in eight.
_base_ = '../../dualformer_micro_motion.py'

train_pipeline = _base_.train_pipeline
train_pipeline.insert(3, dict(type='ShuffleFrames'))
val_pipeline = _base_.val_pipeline
val_pipeline.insert(3, dict(type='ShuffleFrames'))
test_pipeline = val_pipeline

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
