# As dualformer_t_k400_tokenlabel.py, without the teacher: its labels are on disk. Written once by
#   python tools/write_token_labels.py configs/dualformer_t_k400_tokenlabel.py --out data/kinetics400/token_labels
_base_ = 'dualformer_t_k400_tokenlabel.py'

model = dict(teacher=None)

train_pipeline = [
    _base_.init,
    _base_.train_sample,
    _base_.decode,
    *_base_.random_resized_crop,
    dict(type='FormatShape', input_format='NCTHW'),
    dict(
        type='LoadTokenLabels',
        root='data/kinetics400/token_labels',
        num_classes=_base_.k400.num_classes,
        map_size=(16, 7, 7),
    ),
    dict(_base_.pack_inputs, algorithm_keys=('token_logits',)),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
