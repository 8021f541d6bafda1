# Table 3, Video-Mobile-Former-2G, one clip of 64 frames. Paper: 71.1 / 89.3 %, 2.61 GFLOPs. Here: 2.606.
# The optimiser settings are ours.
_base_ = [
    '_base_/models/vmf_2g.py',
    '_base_/datasets/k400_uniform.py',
    '_base_/schedules/sgd_256e.py',
    '_base_/default_runtime.py',
]
