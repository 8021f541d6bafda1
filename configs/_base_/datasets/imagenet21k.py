# ImageNet-21K (the fall 2011 release: 21,841 classes, 14,197,122 images), data/imagenet21k/train/CLASS/*.JPEG, as
# ImageNet-1K. It has no validation set; data/imagenet21k/val is for a part that you hold out.
_base_ = 'imagenet1k.py'

data_root = 'data/imagenet21k/train'
data_root_val = 'data/imagenet21k/val'

train_dataloader = dict(dataset=dict(data_prefix=dict(img=data_root)))
val_dataloader = dict(dataset=dict(data_prefix=dict(img=data_root_val)))
test_dataloader = dict(dataset=dict(data_prefix=dict(img=data_root_val)))
