"""Faults of MMEngine, and of PyTorch under it."""

import functools
import gc
import pickle
import warnings
from pathlib import Path

import mmengine.runner
import numpy as np
import torch
import torch.distributed
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
from mmengine.runner import runner as runner_module
from mmengine.utils import check_file_exist
from torch.utils.data import DataLoader

from mmdualformer.commands import ROOT
from mmdualformer.files import write_checkpoint

from .mending import once

_PACKAGE = 'mmdualformer'
_WITHOUT_NCCL_AND_AMP = ('cpu', 'mps')  # devices, as mmengine names them


def silence_false_alarms() -> None:
    """Warnings of every run that tell the user nothing.

    mmaction2 1.2.0 imports an mmcv module that misses a CUDA operator of detection models when mmcv-lite provides mmcv.
    torch 2.13's DDP takes the stride of an axis of length one, in a depth-wise kernel, for another memory layout.
    mmengine 0.10.7 imports pkg_resources, for which the setuptools that still has it is pinned.
    """
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    warnings.filterwarnings('ignore', message='Grad strides do not match bucket view strides')
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated')


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

    once(checkpoint_io, 'load_url', lambda load_url: functools.partial(load_url, weights_only=True))


def find_our_configs() -> None:
    """mmengine <= 0.10.7 finds ``'package::config'`` only of the packages on its own list, and only in sub-folders.

    It also looks for an editable install in site-packages, where it is not.
    """
    package_path = Path(__file__).parents[1]

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
            path = ROOT / 'configs' / name
            check_file_exist(path)
            return str(path), None

        return get_cfg_path

    once(Config, '_get_cfg_path', resolve)
    once(hub, '_get_package_and_cfg_path', split)
    once(hub, 'get_installed_path', locate)


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

    once(dist_utils, '_init_dist_pytorch', start)
    once(dist_utils, '_init_dist_slurm', start)
    once(MMDistributedDataParallel, '__init__', wrap)


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

    once(Runner, 'load_checkpoint', load)


def write_checkpoints_as_a_whole() -> None:
    """mmengine 0.10.7 writes a checkpoint in its place, so that a kill leaves half of it there.

    On a local disk it is written beside its place, without a copy in memory, and put there when it is complete.
    """

    def write(original):

        def save_checkpoint(checkpoint, filename, file_client_args=None, backend_args=None):
            if file_client_args is not None or backend_args is not None or '://' in str(filename):
                return original(checkpoint, filename, file_client_args, backend_args)
            write_checkpoint(checkpoint, Path(filename))

        return save_checkpoint

    for module in (checkpoint_io, runner_module, mmengine.runner):
        once(module, 'save_checkpoint', write)


def survive_dead_data_workers(loader_type: type[DataLoader]) -> None:
    """torch 2.13: a data worker that dies, as of a video that crashes a decoder, ends the run.

    The loaders of a runner go on without the video.

    Args:
        loader_type (type): Ours, which takes the place of torch's own.
    """

    def build(original):

        def build_dataloader(*args, **kwargs):
            loader = original(*args, **kwargs)
            if type(loader) is DataLoader:
                loader.__class__ = loader_type  # runners ask for a subclass of torch's
            return loader

        return build_dataloader

    once(Runner, 'build_dataloader', build)
