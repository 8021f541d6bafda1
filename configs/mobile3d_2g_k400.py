# Table 2, Mobile3D-2G, one clip of 64 frames. Paper: 66.6 / 87.2 %, 2.33 GFLOPs. Here: 2.328.
# The optimiser settings are ours.
_base_ = [
    '_base_/models/mobile3d_2g.py',
    '_base_/datasets/k400_uniform.py',
    '_base_/schedules/sgd_256e.py',
    '_base_/default_runtime.py',
]
