"""Faults of the installed stack, and the only place that knows of them.

Importing ``mmdualformer`` calls :func:`apply`. Each mend says which version and which fault it is for, does nothing
where the fault is gone, and leaves alone what works. What a mend replaces keeps its signature.
"""

import mmengine
from mmengine.utils import digit_version

from . import distributed, engine, mmaction2, mmaction2_tools, openmim, pickled, strategies
from .distributed import NODES, end_ranks_with_time_to_save, let_machines_come_back, statuses_of_ranks
from .engine import (
    leave_process_group,
    read_checkpoints_with,
    resume_from_what_loads,
    survive_dead_data_workers,
)

__all__ = [
    'NODES',
    'apply',
    'end_ranks_with_time_to_save',
    'leave_process_group',
    'let_machines_come_back',
    'read_checkpoints_with',
    'resume_from_what_loads',
    'statuses_of_ranks',
    'survive_dead_data_workers',
]


def apply() -> None:
    """Mend what is broken. Calling it again changes nothing."""
    engine.silence_false_alarms()
    mmaction2.stub_drn()
    mmaction2.do_without_multimodal()
    pickled.load_checkpoints_weights_only()
    if digit_version(mmengine.__version__) <= digit_version('0.10.7'):
        engine.find_our_configs()
        engine.distribute_on_cpu()
        engine.write_checkpoints_as_a_whole()
        engine.keep_config_of_run()
        engine.compile_only_the_backbone()
        engine.fold_without_tracing()
        strategies.mend_flexible_runner()
        strategies.register_optimizers_that_are_there()
        strategies.shard_without_gpu()
        strategies.resume_shards()
    openmim.say_that_no_weights_are_published()
    engine.resume_without_running_configs()
    engine.infer_without_running_configs()
    engine.refuse_weights_of_other_kinds()
    distributed.listen_where_told()
    mmaction2.shift_hue_beyond_uint8()
    mmaction2.train_in_bfloat16()
    mmaction2.score_several_labels()
    mmaction2.show_predictions_of_clips()
    mmaction2.count_time_where_rates_vary()
    mmaction2.write_videos_without_moviepy()
    mmaction2.repeat_clips_of_our_decoders()
    mmaction2.infer_with_our_decoders()
    mmaction2.pool_features_of_pairs()
    mmaction2_tools.name_what_running_tool_looks_for()
