# The clips that tools/data/make_motion_clips.py writes.
motion = dict(
    num_classes=8,
    train=dict(data_root='data/motion', ann_file='train.txt', data_prefix=dict(video='videos_train')),
    val=dict(data_root='data/motion', ann_file='val.txt', data_prefix=dict(video='videos_val')),
)
