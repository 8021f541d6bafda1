_base_ = 'vmf_1g.py'

model = dict(backbone=dict(arch='560m'))
