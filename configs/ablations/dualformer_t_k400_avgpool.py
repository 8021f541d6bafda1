# Table 5, AvgPool. Paper: 59 GFLOPs a view, 21.8 M, 78.7 %. Here: 60.1, 21.73 M; depth-wise convolution costs next to
# nothing.
_base_ = '../dualformer_t_k400.py'

model = dict(backbone=dict(downsampling='avgpool'))
