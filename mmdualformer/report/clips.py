"""What the clips of a test are: of a test split, or those that the training was validated on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmdualformer.datasets.wrappers import iterate_configs

SAME = ('type', 'ann_file', 'data_root', 'data_prefix')  # what makes two data sets one


@dataclass(frozen=True)
class Clips:
    """What the clips of a test are.

    Attributes:
        kind (str): ``'test'``, ``'validation'``, or ``''`` where it is not known.
        chosen_on (bool): Whether the checkpoint may have been chosen by its accuracy on them, as an epoch or a try.
        source (str): The lists that name them, ``''`` where it is not known.
    """

    kind: str = ''
    chosen_on: bool = False
    source: str = ''


def describe_clips(cfg: Config | None, checkpoint: str | None, lists: Mapping) -> Clips:
    """Find out what the clips of a test are.

    Args:
        cfg (Config, optional): Of the test.
        checkpoint (str, optional): What was tested. Where it is not known, it may be one that was chosen.
        lists (mapping): What :func:`~mmdualformer.report.runs.read_lists` has read; it wins where it says something.
    """
    if cfg is None:
        return Clips()
    tested, validated = (_sources(cfg, f'{name}_dataloader') for name in ('test', 'val'))
    source = ', '.join(str(Path(part.get('data_root') or '', part.get('ann_file') or '')) for part in tested)
    is_validation = lists.get('test_is_validation')
    if not isinstance(is_validation, bool):
        if not tested:
            return Clips()
        is_validation = [{key: part.get(key) for key in SAME} for part in tested] == [
            {key: part.get(key) for key in SAME} for part in validated
        ]
    if not is_validation:
        return Clips('test', False, source)
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    may_be_best = checkpoint is None or Path(checkpoint).name.startswith('best_')
    chosen_on = bool(hook.get('save_best')) and may_be_best
    return Clips('validation', chosen_on or bool(lists.get('tries')), source)


def _sources(cfg: Config, loader: str) -> list[dict]:
    dataset = (cfg.get(loader) or {}).get('dataset')
    return [part for _, part in iterate_configs(f'{loader}.dataset', dataset)] if dataset else []
