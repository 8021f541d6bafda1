"""What a result depends on besides the clips: the model, the machine, the packages and the seed."""

import os
import platform
import re
from importlib import metadata
from pathlib import Path

import psutil
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.analysis import as_scorer, clip_shape, count_cost, find_test_pipeline
from mmdualformer.errors import describe
from mmdualformer.version import __version__

CROPS = {'ThreeCrop': 3, 'TenCrop': 10}


def describe_machine() -> dict[str, str]:
    """This machine: its processors, its memory and its GPUs."""
    cpuinfo = Path('/proc/cpuinfo')
    model = re.search(r'^model name\s*: (.+)$', cpuinfo.read_text(), re.M) if cpuinfo.exists() else None
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        'CPU': f'{model[1] if model else platform.machine()}, {os.cpu_count()} threads',
        'GPU': ', '.join(f'{gpus.count(name)} x {name}' for name in sorted(set(gpus))) or 'none',
        'memory': f'{psutil.virtual_memory().total / 2**30:.0f} GiB',
        'system': platform.platform(),
    }


def list_versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute the result."""
    versions = {'mmdualformer': __version__, 'Python': platform.python_version()}
    for name in ('torch', 'mmengine', 'mmaction2', 'av'):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # as of a checkout on the path
            continue
    return versions


def describe_model(cfg: Config) -> dict:
    """What a config's model is and costs.

    Returns:
        dict: ``backbone``, ``params``, ``gflops`` of one view as true multiply-adds, and ``views`` of a clip in a test;
        or ``backbone`` and ``uncounted``, why the cost is not known.
    """
    model_cfg = cfg.get('model') or {}
    backbone = str((model_cfg.get('backbone') or model_cfg).get('type'))
    try:
        init_default_scope(cfg.get('default_scope') or 'mmaction')
        shape = clip_shape(cfg)
        with torch.device('meta'):
            model = as_scorer(MODELS.build(cfg.model).eval())
        cost, views = count_cost(model, shape), _count_views(cfg)
    except Exception as error:  # a model of others may need anything
        return dict(backbone=backbone, uncounted=describe(error))
    return dict(
        backbone=backbone,
        params=cost.params,
        gflops=cost.macs / 1e9,
        input=' x '.join(map(str, shape[2:])),
        views=views,
    )


def _count_views(cfg: Config) -> int:
    steps = find_test_pipeline(cfg)
    clips = next((step.get('num_clips', 1) for step in steps if 'clip_len' in step), 1)
    return clips * next((CROPS[step['type']] for step in steps if step.get('type') in CROPS), 1)
