# Table 2, DualFormer-S tested with three crops of each of four clips. Paper: 76.4 %, 1908 GFLOPs. Training is that of
# dualformer_s_hmdb51.py.
_base_ = 'dualformer_s_hmdb51.py'

test_pipeline = _base_.test_pipeline
test_pipeline[4] = dict(type='ThreeCrop', crop_size=224)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
