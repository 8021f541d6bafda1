# Table 9 and Table 1, DualFormer-S trained with token labels of DualFormer-B. Paper: 80.6 %, 80.3 % without.
_base_ = 'dualformer_s_k400_in1k.py'

model = dict(
    type='TokenLabelRecognizer3D',
    teacher=dict(config='mmdualformer::dualformer_b_k400.py', checkpoint='checkpoints/dualformer_b_k400.pth'),
    cls_head=dict(type='TokenLabelHead'),
)
