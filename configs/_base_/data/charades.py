# Charades, several labels a video: lists have lines of a path and its labels.
charades = dict(
    num_classes=157,
    train=dict(
        ann_file='data/charades/charades_train_list_videos.txt',
        data_prefix=dict(video='data/charades/videos'),
        multi_class=True,
        num_classes=157,
    ),
    val=dict(
        ann_file='data/charades/charades_val_list_videos.txt',
        data_prefix=dict(video='data/charades/videos'),
        multi_class=True,
        num_classes=157,
    ),
)
