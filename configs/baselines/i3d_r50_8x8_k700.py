# VidTr's Table 6, the I3D50 of En-VidTr-L on Kinetics-700, from Kinetics-400. The paper gives no schedule of its own;
# this is that of Kinetics-400.
_base_ = 'i3d_r50_8x8_k400.py'

model = dict(backbone=dict(pretrained=None), cls_head=dict(num_classes=700))

data_root = 'data/kinetics700/videos_train'
data_root_val = 'data/kinetics700/videos_val'
ann_file_train = 'data/kinetics700/kinetics700_train_list_videos.txt'
ann_file_val = 'data/kinetics700/kinetics700_val_list_videos.txt'

train_dataloader = dict(dataset=dict(ann_file=ann_file_train, data_prefix=dict(video=data_root)))
val_dataloader = dict(dataset=dict(ann_file=ann_file_val, data_prefix=dict(video=data_root_val)))
test_dataloader = dict(dataset=dict(ann_file=ann_file_val, data_prefix=dict(video=data_root_val)))

load_from = 'checkpoints/i3d_r50_8x8_k400.pth'
