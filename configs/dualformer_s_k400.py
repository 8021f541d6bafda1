# DualFormer-S on Kinetics-400 from random weights. Paper: 80.3 % from ImageNet-1K (_in1k.py), 20 to 30 points less
# without (Appendix C).
_base_ = [
    '_base_/models/dualformer_s.py',
    '_base_/datasets/k400.py',
    '_base_/schedules/adamw_30e.py',
    '_base_/default_runtime.py',
]
