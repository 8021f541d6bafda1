# The quick start's model trained once more, from its own weights: a chain of two trainings, as the papers have, that
# tools/reproduce.py goes through on a CPU.
_base_ = '../../dualformer_micro_motion.py'

load_from = 'checkpoints/dualformer_micro_motion.pth'
