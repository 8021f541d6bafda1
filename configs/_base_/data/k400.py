# Kinetics-400. Lists and folders are named as MMAction2 names them.
k400 = dict(
    num_classes=400,
    train=dict(
        ann_file='data/kinetics400/kinetics400_train_list_videos.txt',
        data_prefix=dict(video='data/kinetics400/videos_train'),
    ),
    val=dict(
        ann_file='data/kinetics400/kinetics400_val_list_videos.txt',
        data_prefix=dict(video='data/kinetics400/videos_val'),
    ),
)
