"""Our configs by name, and what they train on."""

import functools
import re

from mmengine.config import Config
from mmengine.hub import get_config

from mmdualformer.commands import ROOT

CONFIGS = ROOT / 'configs'  # where ``mmdualformer::`` looks
DATASETS = {  # folder in data/ -> name
    'kinetics400': 'Kinetics-400',
    'kinetics600': 'Kinetics-600',
    'kinetics700': 'Kinetics-700',
    'diving48': 'Diving-48',
    'hmdb51': 'HMDB-51',
    'ucf101': 'UCF-101',
    'sthv2': 'Something-Something V2',
    'charades': 'Charades',
    'imagenet': 'ImageNet-1K',
    'imagenet21k': 'ImageNet-21K',
    'motion': 'Motion',
}


def named_config(name: str) -> Config:
    """Read one of our configs by its name, such as ``ablations/dualformer/dualformer_t_k400_conv``.

    Raises:
        FileNotFoundError: There is none of that name.
    """
    return get_config(f'mmdualformer::{name}.py')


@functools.cache
def is_config(name: str) -> bool:
    """Whether there is a config of a name."""
    try:
        named_config(name)
    except FileNotFoundError:
        return False
    return True


def names_of(stem: str) -> list[str]:
    """Names of the configs that are called ``stem``, in whatever folder; those of released weights are in no table."""
    paths = (path.relative_to(CONFIGS) for path in sorted(CONFIGS.rglob(f'{stem}.py')))
    return [path.with_suffix('').as_posix() for path in paths if path.parts[0] not in ('_base_', 'released')]


def views_of(cfg: Config) -> tuple[int, int]:
    """Clips of a video, and crops of a clip, in a config's test."""
    pipeline = cfg.test_dataloader.dataset.pipeline
    clips = next((step.num_clips for step in pipeline if 'num_clips' in step), 1)
    return clips, 3 if any(step.type == 'ThreeCrop' for step in pipeline) else 1


def input_of(cfg: Config) -> str:
    """Frames of a test clip, and every how many frames of the video one is taken; nothing for images."""
    for step in cfg.test_dataloader.dataset.pipeline:
        if 'frame_interval' in step:
            return f'{step.clip_len}x{step.frame_interval}'
        if step.type == 'UniformSample':
            return f'{step.clip_len} of the video'
    return ''


def data_folder(cfg: Config) -> str:
    """Name of the folder in ``data/`` that a config trains on."""
    return re.findall(r"'data/(\w+)", repr(cfg.train_dataloader.dataset.to_dict()))[0]


def dataset_of(cfg: Config) -> str:
    """What a config trains on, as the papers call it."""
    return DATASETS[data_folder(cfg)]
