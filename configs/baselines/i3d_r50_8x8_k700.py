# VidTr's Table 6, the I3D50 of En-VidTr-L on Kinetics-700, from Kinetics-400. The paper gives no schedule of its own;
# this is that of Kinetics-400.
_base_ = ['i3d_r50_8x8_k400.py', '../_base_/data/k700.py']

model = dict(backbone=dict(pretrained=None), cls_head=dict(num_classes=_base_.k700.num_classes))
train_dataloader = dict(dataset=_base_.k700.train)
val_dataloader = test_dataloader = dict(dataset=_base_.k700.val)

load_from = 'checkpoints/i3d_r50_8x8_k400.pth'
