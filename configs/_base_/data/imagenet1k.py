# ImageNet-1K (ILSVRC 2012), data/imagenet/{train,val}/CLASS/*.JPEG.
imagenet1k = dict(
    num_classes=1000,
    train=dict(data_prefix=dict(img='data/imagenet/train')),
    val=dict(data_prefix=dict(img='data/imagenet/val')),
)
