"""What MMAction2's own tools look for by name, and do not find of ours."""

import argparse
import functools
import inspect
import os
import sys
import types
from pathlib import Path

from mmaction.registry import DATASETS, MODELS
from mmengine.dataset import BaseDataset
from mmengine.fileio import dump, load
from mmengine.registry import Registry

from .mending import once


def name_what_running_tool_looks_for() -> None:
    """mmaction2 1.2.0: some tools look for classes by name, and stop at, or pass over, others that do the same.

    They import us while they read a config; the function that they give it to next shows them the names they know.
    """
    tool = sys.modules['__main__']
    found = {
        'check_videos.py': ('init_default_scope', _check_our_videos),
        'clip_feature_extraction.py': ('merge_args', _extract_our_features),
        'long_video_demo.py': ('init_recognizer', _sample_uniformly_too),
        'webcam_demo.py': ('init_recognizer', _sample_uniformly_too),
    }.get(Path(getattr(tool, '__file__', None) or '').name)
    if found is not None:
        function, mend = found
        if hasattr(tool, function):
            once(tool, function, functools.partial(mend, tool))


def _check_our_videos(tool: types.ModuleType, original):

    def init_default_scope(scope):
        original(scope)
        dataset = tool.cfg[f'{tool.args.split}_dataloader'].dataset
        if _is_kind('VideoDataset', DATASETS, dataset.type):
            vars(tool)['DATASETS'] = types.SimpleNamespace(build=functools.partial(_build_as, dataset.type))
            dataset.type = 'VideoDataset'
        if any(step['type'] == 'VideoInit' for step in dataset.pipeline):
            tool.decoder_to_pipeline_prefix['decord'] = 'Video'  # its default, which can crash where ours reads

    return init_default_scope


def _extract_our_features(tool: types.ModuleType, original):

    def merge_args(cfg, args):
        dataset, model = cfg.test_dataloader.dataset, cfg.model
        ours = dataset.type, model.type
        if _is_kind('Recognizer3D', MODELS, model.type):
            model.type = 'Recognizer3D'
        if _is_kind('VideoDataset', DATASETS, dataset.type):
            dataset.type = 'VideoDataset'
            # the list and the folder that it is given are not of a data_root
            root = Path(dataset.pop('data_root', None) or '')
            dataset.ann_file = str(root / dataset.ann_file)
            dataset.data_prefix = {name: str(root / path) for name, path in dataset.data_prefix.items()}
            vars(tool)['split_feats'] = functools.partial(_write_features, dataset)
        cfg = original(cfg, args)
        dataset.type, model.type = ours
        if _is_kind('RobustVideoDataset', DATASETS, dataset.type):
            dataset.type = 'StrictVideoDataset'  # no features of blank frames
        return cfg

    return merge_args


def _write_features(dataset: dict, args: argparse.Namespace) -> None:
    """What ``split_feats`` of the tool does, also with scores, spaces in paths, and paths that leave the folder."""
    results = load(args.dump)
    videos = _build_as(dataset['type'], {**dataset, 'pipeline': []})
    root = videos.data_prefix['video']
    for index, result in enumerate(results):
        video = Path(videos.get_data_info(index)['filename'])
        if video.is_relative_to(root):
            video = video.relative_to(root)
        inside = os.path.normpath(f'{os.sep}{video}').lstrip(os.sep)  # no .. leads out
        dump(result['pred_score'] if args.dump_score else result, os.path.join(args.output_prefix, f'{inside}.pkl'))
    os.remove(args.dump)


def _sample_uniformly_too(_tool: types.ModuleType, original):

    def init_recognizer(*args, **kwargs):
        model = original(*args, **kwargs)
        for step in model.cfg.test_pipeline:
            if step['type'] == 'UniformSample':  # they take the frames themselves, and want to know how many
                step.update(type='SampleFrames', num_clips=step.get('num_clips', 1))
        return model

    return init_recognizer


def _is_kind(name: str, registry: Registry, type_: str | type) -> bool:
    """Whether a type of a registry is or derives from the class of a name."""
    cls = registry.get(type_) if isinstance(type_, str) else type_
    return inspect.isclass(cls) and issubclass(cls, registry.get(name))


def _build_as(type_: str | type, cfg: dict) -> BaseDataset:
    """Build a data set of another type than its config says."""
    return DATASETS.build({**cfg, 'type': type_})
