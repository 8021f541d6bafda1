# Table 3: dualformer_t_k400_coarse_only.py with token labels, as the default row of the table has them.
_base_ = 'dualformer_t_k400_coarse_only.py'

model = dict(
    type='TokenLabelRecognizer3D',
    teacher=dict(config='mmdualformer::dualformer_b_k400.py', checkpoint='checkpoints/dualformer_b_k400.pth'),
    cls_head=dict(type='TokenLabelHead'),
)
