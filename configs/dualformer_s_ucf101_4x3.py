# Table 2, DualFormer-S tested with three crops of each of four clips. Paper: 97.5 %, 1908 GFLOPs. Training is that of
# dualformer_s_ucf101.py.
_base_ = 'dualformer_s_ucf101.py'

test_pipeline = [_base_.init, _base_.test_sample, _base_.decode, *_base_.three_crops, *_base_.pack]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
