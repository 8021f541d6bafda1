# Table 3, Video-Mobile-Former-1G, one clip of 64 frames. Paper: 67.4 / 87.4 %, 1.43 GFLOPs. Here: 1.428.
# The optimiser settings are ours.
_base_ = [
    '_base_/models/vmf_1g.py',
    '_base_/datasets/k400_uniform.py',
    '_base_/schedules/sgd_256e.py',
    '_base_/default_runtime.py',
]
