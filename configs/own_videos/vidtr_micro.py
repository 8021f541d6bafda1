# For own videos, of which there may be few; `mmdualformer fit --model vidtr_micro` sets the classes and the lists.
_base_ = [
    '../_base_/models/vidtr_micro.py',
    '../_base_/pipelines/whole_clip_16.py',
    '../_base_/schedules/own_videos.py',
]

model = dict(cls_head=dict(num_classes=2, label_smooth_eps=0.1))
