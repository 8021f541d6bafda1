# Kinetics-700.
k700 = dict(
    num_classes=700,
    train=dict(
        ann_file='data/kinetics700/kinetics700_train_list_videos.txt',
        data_prefix=dict(video='data/kinetics700/videos_train'),
    ),
    val=dict(
        ann_file='data/kinetics700/kinetics700_val_list_videos.txt',
        data_prefix=dict(video='data/kinetics700/videos_val'),
    ),
)
