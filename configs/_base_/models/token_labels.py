# Training with token labels of DualFormer-B (Table 9): what a leaf merges into its model.
token_labels = dict(
    type='TokenLabelRecognizer3D',
    teacher=dict(config='mmdualformer::dualformer_b_k400.py', checkpoint='checkpoints/dualformer_b_k400.pth'),
    cls_head=dict(type='TokenLabelHead'),
)
