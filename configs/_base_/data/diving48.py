# Diving-48 with the labels of V2.
diving48 = dict(
    num_classes=48,
    train=dict(
        ann_file='data/diving48/diving48_train_list_videos.txt',
        data_prefix=dict(video='data/diving48/videos'),
    ),
    val=dict(
        ann_file='data/diving48/diving48_val_list_videos.txt',
        data_prefix=dict(video='data/diving48/videos'),
    ),
)
