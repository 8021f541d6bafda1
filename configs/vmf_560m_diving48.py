# Table 4, Video-Mobile-Former-560M on Diving-48, from Kinetics-600. Paper: 67.8 % top-1.
# The optimiser settings are ours.
_base_ = [
    '_base_/models/vmf_560m.py',
    '_base_/datasets/k400_uniform_172.py',
    '_base_/schedules/sgd_48e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=48))

data_root = data_root_val = 'data/diving48/videos'
ann_file_train = 'data/diving48/diving48_train_list_videos.txt'
ann_file_val = 'data/diving48/diving48_val_list_videos.txt'

train_dataloader = dict(dataset=dict(ann_file=ann_file_train, data_prefix=dict(video=data_root)))
val_dataloader = dict(dataset=dict(ann_file=ann_file_val, data_prefix=dict(video=data_root_val)))
test_dataloader = dict(dataset=dict(ann_file=ann_file_val, data_prefix=dict(video=data_root_val)))

load_from = 'checkpoints/vmf_560m_k600.pth'
