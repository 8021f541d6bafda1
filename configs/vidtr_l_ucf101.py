# Table 6, VidTr-L on UCF-101, split 1, from Kinetics-400. Paper: 96.7 %.
_base_ = 'vidtr_l_k400.py'

model = dict(cls_head=dict(num_classes=101))

data_root = data_root_val = 'data/ucf101/videos'
ann_file_train = 'data/ucf101/ucf101_train_split_1_videos.txt'
ann_file_val = 'data/ucf101/ucf101_val_split_1_videos.txt'

train_dataloader = dict(dataset=dict(ann_file=ann_file_train, data_prefix=dict(video=data_root)))
val_dataloader = dict(dataset=dict(ann_file=ann_file_val, data_prefix=dict(video=data_root_val)))
test_dataloader = dict(dataset=dict(ann_file=ann_file_val, data_prefix=dict(video=data_root_val)))

# 6 epochs (Section 4.3); the steps, at the same shares of them as on Kinetics, are ours.
param_scheduler = [dict(type='MultiStepLR', milestones=[3, 5], gamma=0.1, by_epoch=True, begin=0, end=6)]
train_cfg = dict(max_epochs=6)

load_from = 'checkpoints/vidtr_l_k400.pth'
