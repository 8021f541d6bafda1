# ImageNet-21K (the fall 2011 release: 21,841 classes, 14,197,122 images), data/imagenet21k/train/CLASS/*.JPEG. It has
# no validation set; data/imagenet21k/val is for a part that you hold out.
imagenet21k = dict(
    num_classes=21841,
    train=dict(data_prefix=dict(img='data/imagenet21k/train')),
    val=dict(data_prefix=dict(img='data/imagenet21k/val')),
)
