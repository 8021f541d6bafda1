# Table 4, Video-Mobile-Former-560M on Diving-48, from Kinetics-600. Paper: 67.8 % top-1.
# The optimiser settings are ours.
_base_ = [
    '_base_/models/vmf_560m.py',
    '_base_/data/diving48.py',
    '_base_/pipelines/vmf_172.py',
    '_base_/schedules/sgd_48e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=_base_.diving48.num_classes))
train_dataloader = dict(dataset=_base_.diving48.train)
val_dataloader = test_dataloader = dict(dataset=_base_.diving48.val)

load_from = 'checkpoints/vmf_560m_k600.pth'
