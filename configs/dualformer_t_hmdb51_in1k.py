# Table 2, DualFormer-T*: as DualFormer-T, but from ImageNet-1K without Kinetics. Paper: 74.6 %, 28 GFLOPs a view (4
# views); here 27.8.
_base_ = 'dualformer_t_hmdb51.py'

model = dict(backbone=dict(init_cfg=dict(type='Inflated', checkpoint='checkpoints/dualformer_t_in1k.pth')))

load_from = None
