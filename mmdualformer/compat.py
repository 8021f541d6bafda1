"""Faults of the installed stack, and the only place that knows of them.

Importing ``mmdualformer`` calls :func:`apply`. Each mend says which version and which fault it is for, does nothing
where the fault is gone, and leaves alone what works. What a mend replaces keeps its signature.
"""

import functools
import gc
import importlib.util
import pickle
import sys
import types
import warnings
from pathlib import Path

import cv2
import mmengine
import numpy as np
import torch
import torch.distributed
import torch.nn as nn
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import utils as dist_utils
from mmengine.hub import hub
from mmengine.logging import HistoryBuffer
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.runner import Runner
from mmengine.runner import checkpoint as checkpoint_io
from mmengine.utils import check_file_exist, digit_version
from torch.utils.data import DataLoader

_PACKAGE = 'mmdualformer'
_WITHOUT_NCCL_AND_AMP = ('cpu', 'mps')  # devices, as mmengine names them


def apply() -> None:
    """Mend what is broken. Calling it again changes nothing."""
    silence_false_alarms()
    stub_drn()
    load_checkpoints_weights_only()
    if digit_version(mmengine.__version__) <= digit_version('0.10.7'):
        find_our_configs()
        distribute_on_cpu()
        train_amp_configs_on_cpu()
    resume_without_running_configs()
    survive_dead_data_workers()
    shift_hue_beyond_uint8()
    train_in_bfloat16()
    show_predictions_of_clips()
    count_time_where_rates_vary()


def _once(owner: object, name: str, wrap) -> None:
    """Replace ``owner.name`` by ``wrap(owner.name)``, unless it has been replaced before."""
    original = getattr(owner, name)
    if getattr(original, '_mmdualformer', False):
        return
    mended = functools.wraps(original)(wrap(original))
    mended._mmdualformer = True
    setattr(owner, name, staticmethod(mended) if isinstance(vars(owner).get(name), staticmethod) else mended)


def silence_false_alarms() -> None:
    """Warnings of every run that tell the user nothing.

    mmaction2 1.2.0 imports an mmcv module that misses a CUDA operator of detection models when mmcv-lite provides mmcv.
    torch 2.13's DDP takes the stride of an axis of length one, in a depth-wise kernel, for another memory layout.
    mmengine 0.10.7 imports pkg_resources, for which the setuptools that still has it is pinned.
    """
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    warnings.filterwarnings('ignore', message='Grad strides do not match bucket view strides')
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated')


def stub_drn() -> None:
    """mmaction2 1.2.0: the wheel lacks ``mmaction.models.localizers.drn``, so ``import mmaction.models`` fails.

    A stub takes the place of the missing localizer; building one says what is missing.
    """
    package = Path(next(iter(importlib.util.find_spec('mmaction').submodule_search_locations)))
    name = 'mmaction.models.localizers.drn'
    if name in sys.modules or (package / 'models' / 'localizers' / 'drn').exists():
        return

    class DRN(nn.Module):

        def __init__(self, *args, **kwargs) -> None:
            raise ImportError("the DRN localizer is missing from mmaction2 1.2.0's wheel; install mmaction2 from its "
                              'source to use it')

    stub, inner = types.ModuleType(name), types.ModuleType(f'{name}.drn')
    stub.__path__ = []  # marks it as a package
    stub.drn, inner.DRN = inner, DRN
    sys.modules.update({name: stub, inner.__name__: inner})


def _getattr_of_history_buffer(owner: object, name: str):
    """The ``getattr`` that weights-only loading may call: a statistic of HistoryBuffer, nothing else."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current', 'statistics'):
        raise pickle.UnpicklingError(f'a checkpoint may not look up {name!r} of {owner!r}')
    return getattr(owner, name)


def load_checkpoints_weights_only() -> None:
    """torch >= 2.6 loads weights-only and so refuses mmengine 0.10.7's own checkpoints; keep it so, and safe.

    MMEngine stores its log history beside the weights: ``HistoryBuffer`` holding numpy arrays. Just what those need is
    allowed. Loading from a URL, which torch.hub does with full pickle, is made weights-only too.
    """
    reconstruct = np.empty(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    allowed = [HistoryBuffer, np.ndarray, np.dtype, (_getattr_of_history_buffer, 'builtins.getattr')]
    # Files written with numpy 1 say numpy.core, those of numpy 2 numpy._core.
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        allowed += [(reconstruct, f'{module}._reconstruct'), (scalar, f'{module}.scalar')]
    allowed += [type(np.dtype(name)) for name in ('float64', 'float32', 'int64', 'int32', 'bool')]
    torch.serialization.add_safe_globals(allowed)

    _once(checkpoint_io, 'load_url', lambda load_url: functools.partial(load_url, weights_only=True))


def find_our_configs() -> None:
    """mmengine <= 0.10.7 finds ``'package::config'`` only of the packages on its own list, and only in sub-folders.

    It also looks for an editable install in site-packages, where it is not.
    """
    package_path = Path(__file__).parent

    def split(original):

        def get_package_and_cfg_path(cfg_path):
            package, _, name = cfg_path.partition('::')
            return (package, name) if package == _PACKAGE else original(cfg_path)

        return get_package_and_cfg_path

    def locate(original):
        return lambda package: str(package_path) if package == _PACKAGE else original(package)

    def resolve(original):

        def get_cfg_path(cfg_path, filename):
            package, _, name = cfg_path.partition('::')
            if package != _PACKAGE:
                return original(cfg_path, filename)
            # No scope: what a config of ours names is in the registries of mmaction.
            configs = package_path / '.mim' / 'configs'
            if not configs.exists():  # a checkout that is not installed
                configs = package_path.parent / 'configs'
            check_file_exist(configs / name)
            return str(configs / name), None

        return get_cfg_path

    _once(Config, '_get_cfg_path', resolve)
    _once(hub, '_get_package_and_cfg_path', split)
    _once(hub, 'get_installed_path', locate)


def distribute_on_cpu() -> None:
    """mmengine <= 0.10.7 sets a CUDA device, starts nccl and gives DDP ``device_ids`` on machines without a GPU."""

    def start(original):

        def init_dist(backend, *args, **kwargs):
            if get_device() not in _WITHOUT_NCCL_AND_AMP:
                return original(backend, *args, **kwargs)
            set_device, torch.cuda.set_device = torch.cuda.set_device, lambda device: None
            try:
                return original('gloo' if backend == 'nccl' else backend, *args, **kwargs)
            finally:
                torch.cuda.set_device = set_device

        return init_dist

    def wrap(original):

        def init(self, module, *args, **kwargs):
            if get_device() in _WITHOUT_NCCL_AND_AMP:
                kwargs.pop('device_ids', None)
            original(self, module, *args, **kwargs)

        return init

    _once(dist_utils, '_init_dist_pytorch', start)
    _once(dist_utils, '_init_dist_slurm', start)
    _once(MMDistributedDataParallel, '__init__', wrap)


def leave_process_group() -> None:
    """mmengine <= 0.10.7 leaves its process group to the interpreter's exit, where gloo's threads can abort a run.

    Our tools call this when they have finished. Reference cycles of the runner and of DDP hold on to the group, and so
    to its threads, until they are collected.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
        gc.collect()


def train_amp_configs_on_cpu() -> None:
    """mmengine <= 0.10.7: ``AmpOptimWrapper`` refuses a machine without an accelerator. There it is plain float32."""
    if 'AmpOptimWrapper' in OPTIM_WRAPPERS.module_dict:
        return

    @OPTIM_WRAPPERS.register_module(name='AmpOptimWrapper')
    def amp_optim_wrapper(loss_scale='dynamic', dtype=None, use_fsdp=False, **kwargs) -> OptimWrapper:
        if get_device() in _WITHOUT_NCCL_AND_AMP:
            return OptimWrapper(**kwargs)
        return AmpOptimWrapper(loss_scale=loss_scale, dtype=dtype, use_fsdp=use_fsdp, **kwargs)


def resume_without_running_configs() -> None:
    """mmengine 0.10.7 executes the config text in a checkpoint that is resumed, to read a setting of 0.x from it.

    The text is dropped when a runner of any version loads a checkpoint: no code of a checkpoint runs.
    """

    def load(original):

        def load_checkpoint(self, *args, **kwargs):
            checkpoint = original(self, *args, **kwargs)
            checkpoint.get('meta', {}).pop('config', None)
            return checkpoint

        return load_checkpoint

    _once(Runner, 'load_checkpoint', load)


def survive_dead_data_workers() -> None:
    """torch 2.13: a data worker that dies, as of a video that crashes a decoder, ends the run.

    The loaders of a runner go on without the video. They are torch's own for data other than ours.
    """

    def build(original):

        def build_dataloader(*args, **kwargs):
            from mmdualformer.datasets.surviving_loader import SurvivingDataLoader  # needs the mended stack
            loader = original(*args, **kwargs)
            if type(loader) is DataLoader:
                loader.__class__ = SurvivingDataLoader  # runners ask for a subclass of torch's
            return loader

        return build_dataloader

    _once(Runner, 'build_dataloader', build)


def shift_hue_beyond_uint8() -> None:
    """mmaction2 1.2.0 with numpy 2: ``ColorJitter`` adds a negative hue to uint8, which overflows."""
    from mmaction.datasets.transforms import ColorJitter
    try:
        ColorJitter.adjust_hue(np.zeros((1, 1, 3), np.uint8), -0.1)
        return
    except OverflowError:
        pass

    def adjust_hue(img, factor):
        hsv = cv2.cvtColor(np.clip(img, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + int(factor * 255)) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)

    ColorJitter.adjust_hue = staticmethod(adjust_hue)


def train_in_bfloat16() -> None:
    """mmaction2 1.2.0: heads turn their scores into numpy arrays for the accuracy, which bfloat16 cannot become."""
    from mmaction.models import BaseHead

    def in_float32(original):

        def loss_by_feat(self, cls_scores, *args, **kwargs):
            return original(self, cls_scores.float() if cls_scores.dtype == torch.bfloat16 else cls_scores, *args,
                            **kwargs)

        return loss_by_feat

    _once(BaseHead, 'loss_by_feat', in_float32)


def show_predictions_of_clips() -> None:
    """mmaction2 1.2.0: ``VisualizationHook`` (--show-dir) takes no batch of views, and the visualizer no ``show``."""
    from mmaction.engine.hooks import VisualizationHook

    def draw_first_view(original):

        def draw_samples(self, batch_idx, data_batch, data_samples, step=0):
            videos = [video[0] if video.ndim == 5 else video for video in data_batch['inputs']]
            if 'show' in self.draw_args:
                self.draw_args['show_frames'] = self.draw_args.pop('show')
            return original(self, batch_idx, {**data_batch, 'inputs': videos}, data_samples, step)

        return draw_samples

    _once(VisualizationHook, '_draw_samples', draw_first_view)


def count_time_where_rates_vary() -> None:
    """mmaction2 1.2.0: ``SampleFrames(target_fps=...)`` takes frames at equal numbers, also where their times vary.

    What it asks for are times, in frames at the mean rate. Videos that have ``frame_times`` give the frames shown then.
    """
    from mmaction.datasets.transforms import SampleFrames

    def by_time(original):

        def transform(self, results):
            results = original(self, results)
            times = results.get('frame_times')
            if self.target_fps is not None and times is not None:
                wanted = (results['frame_inds'] - results['start_index'] + 0.5) / results['avg_fps']
                shown = np.searchsorted(times, wanted, 'right') - 1
                results['frame_inds'] = (shown + results['start_index']).astype(results['frame_inds'].dtype)
            return results

        return transform

    _once(SampleFrames, 'transform', by_time)
