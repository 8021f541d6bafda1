"""Faults of MMEngine, and of PyTorch under it."""

import gc
import logging
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from urllib.parse import urlparse

import mmengine.runner
import torch
import torch.distributed
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import utils as dist_utils
from mmengine.hub import hub
from mmengine.infer import BaseInferencer
from mmengine.model import MMDistributedDataParallel, efficient_conv_bn_eval, is_model_wrapper
from mmengine.runner import CheckpointLoader, Runner
from mmengine.runner import _flexible_runner as flexible_runner_module
from mmengine.runner import checkpoint as checkpoint_io
from mmengine.runner import runner as runner_module
from mmengine.utils import check_file_exist
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from mmdualformer.commands import ROOT
from mmdualformer.errors import UserError, describe
from mmdualformer.files import write_checkpoint

from .distributed import choose_interfaces
from .mending import once

_PACKAGE = 'mmdualformer'
_CLOSED: ContextVar[bool] = ContextVar('closed', default=False)  # whether no checkpoint may be loaded
_OF_WORKERS = ('multiprocessing_context', 'persistent_workers', 'prefetch_factor')  # settings of data loaders
_WITHOUT_NCCL = ('cpu', 'mps')  # devices, as mmengine names them


def silence_false_alarms() -> None:
    """Warnings of every run that tell the user nothing.

    mmaction2 1.2.0 imports an mmcv module that misses a CUDA operator of detection models when mmcv-lite provides mmcv,
    and says where it went when a full mmcv does.
    torch 2.13's DDP takes the stride of an axis of length one, in a depth-wise kernel, for another memory layout.
    Its DDP deprecates an argument that mmengine 0.10.7 gives.
    mmengine 0.10.7 imports pkg_resources, for which the setuptools that still has it is pinned.
    """
    warnings.filterwarnings('ignore', message='(Fail to import )?``MultiScaleDeformableAttention``')
    warnings.filterwarnings('ignore', message='Grad strides do not match bucket view strides')
    warnings.filterwarnings('ignore', message='`broadcast_buffers` is deprecated')
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated')


def read_checkpoints_with(read_file: Callable[..., dict], check: Callable[[object, str], dict]) -> None:
    """mmengine 0.10.7 and torch 2.13 look at no checksum of a checkpoint, and take whatever is in it for weights.

    torch.hub also loads what a URL gives with full pickle, and neither knows safetensors.

    Args:
        read_file (callable): Reads a file, given its path and torch's ``map_location``.
        check (callable): Checks, and gives, what others have read, given that and where it is from.
    """

    def load_from_local(filename, map_location):
        return read_file(filename, map_location)

    def fetch(_original):

        def load_url(
            url, model_dir=None, map_location=None, progress=True, check_hash=False, file_name=None, **_kwargs
        ):
            _refuse_where_closed(url)
            folder = Path(model_dir or Path(torch.hub.get_dir(), 'checkpoints'))
            path = folder / (file_name or Path(urlparse(url).path).name)
            if not path.exists():
                folder.mkdir(parents=True, exist_ok=True)
                digest = torch.hub.HASH_REGEX.search(path.name) if check_hash else None
                torch.hub.download_url_to_file(url, str(path), digest and digest[1], progress)
            return read_file(str(path), map_location)

        return load_url

    def open_door(original):

        def load_checkpoint(filename, *args, **kwargs):
            _refuse_where_closed(filename)
            content = original(filename, *args, **kwargs)
            loader = CheckpointLoader._get_checkpoint_loader(filename)
            return content if loader.__module__ == checkpoint_io.__name__ else check(content, filename)

        return load_checkpoint

    once(CheckpointLoader, 'load_checkpoint', open_door)
    once(checkpoint_io, 'load_from_local', lambda _original: load_from_local)
    once(checkpoint_io, 'load_url', fetch)
    for name in ('load_from_ceph', 'load_from_openmmlab', 'load_from_pavi'):
        once(checkpoint_io, name, lambda original: lambda *args, **kwargs: check(original(*args, **kwargs), args[0]))
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if loader.__module__ == checkpoint_io.__name__:  # not another package's
            CheckpointLoader.register_scheme(prefix, getattr(checkpoint_io, loader.__name__), force=True)


@contextmanager
def loading_nothing() -> Iterator[None]:
    """Refuse to load checkpoints, as of a model that is built from what a file says.

    Raises:
        UserError: One was to be loaded.
    """
    token = _CLOSED.set(True)
    try:
        yield
    finally:
        _CLOSED.reset(token)


def _refuse_where_closed(source: object) -> None:
    if _CLOSED.get():
        raise UserError(f'it would load {str(source)!r}')


def kind_of_numbers(tensor: Tensor) -> str:
    """Whether a tensor has complex, real or whole numbers, of which none can stand for another."""
    return 'complex' if tensor.is_complex() else 'real' if tensor.is_floating_point() else 'whole'


def refuse_weights_of_other_kinds() -> None:
    """mmengine 0.10.7 loads complex and whole numbers as real ones, and stumbles over weights that are no tensors.

    It also asserts that a checkpoint has the part that ``init_cfg`` of type ``Pretrained`` names.
    """

    def load(original):

        def load_state_dict(module, state_dict, *args, **kwargs):
            for name, wanted in module.state_dict().items():
                given = state_dict.get(name, wanted)
                if isinstance(wanted, Tensor) and not isinstance(given, Tensor):
                    raise UserError(f'a checkpoint has a {type(given).__name__} in place of the tensor {name}')
                if isinstance(wanted, Tensor) and kind_of_numbers(given) != kind_of_numbers(wanted):
                    raise UserError(f'a checkpoint has {name} of {given.dtype}, the model of {wanted.dtype}')
            original(module, state_dict, *args, **kwargs)

        return load_state_dict

    def take(original):

        def load_checkpoint_with_prefix(prefix, filename, map_location=None):
            try:
                return original(prefix, filename, map_location)
            except AssertionError:
                raise UserError(f'checkpoint {filename!r} has no weights whose names start with {prefix!r}') from None

        return load_checkpoint_with_prefix

    once(checkpoint_io, 'load_state_dict', load)
    once(checkpoint_io, '_load_checkpoint_with_prefix', take)


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
            choose_interfaces()
            if not without_gpu():
                return original(backend, *args, **kwargs)
            set_device, torch.cuda.set_device = torch.cuda.set_device, lambda device: None
            try:
                return original('gloo' if backend == 'nccl' else backend, *args, **kwargs)
            finally:
                torch.cuda.set_device = set_device

        return init_dist

    def wrap(original):

        def init(self, module, *args, **kwargs):
            if without_gpu():
                kwargs.pop('device_ids', None)
            original(self, module, *args, **kwargs)

        return init

    once(dist_utils, '_init_dist_pytorch', start)
    once(dist_utils, '_init_dist_slurm', start)
    once(dist_utils, '_init_dist_mpi', start)
    once(MMDistributedDataParallel, '__init__', wrap)


def without_gpu() -> bool:
    """Whether processes here have no GPU that nccl knows."""
    return get_device() in _WITHOUT_NCCL


def leave_process_group() -> None:
    """mmengine <= 0.10.7 leaves its process group to the interpreter's exit, where gloo's threads can abort a run.

    Our tools call this when they have finished, and no function that still runs holds a DDP. The last to let go of a
    group waits for gloo's threads, which may themselves wait for the interpreter to let go of tensors. Python's own
    name of a group lets them have it meanwhile; DDP does not, and the two would wait for ever.
    """
    if torch.distributed.is_initialized():
        group = torch.distributed.group.WORLD
        torch.distributed.destroy_process_group()
        gc.collect()  # the reference cycles of runners and of DDP, which hold on to the group
        del group


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


def infer_without_running_configs() -> None:
    """mmengine 0.10.7: an inferencer that is given no config executes the config text in the checkpoint."""

    def refuse(original):

        def _init_model(self, cfg, weights, *args, **kwargs):
            if not cfg:
                raise UserError(
                    f'weights {str(weights)!r} without a model: the config in a checkpoint is a program, which is not '
                    'run; give the path of a config as the model'
                )
            return original(self, cfg, weights, *args, **kwargs)

        return _init_model

    once(BaseInferencer, '_init_model', refuse)


def write_checkpoints_as_a_whole() -> None:
    """mmengine 0.10.7 writes a checkpoint in its place, so that a kill leaves half of it there.

    On a local disk it is written beside its place, without a copy in memory, and put there when it is complete.
    """

    for module in (checkpoint_io, runner_module, mmengine.runner):
        once(module, 'save_checkpoint', write_whole)


def write_whole(original: Callable) -> Callable:
    """The ``save_checkpoint`` that :func:`write_checkpoints_as_a_whole` puts in place of MMEngine's."""

    def save_checkpoint(checkpoint, filename, file_client_args=None, backend_args=None):
        is_local = backend_args in (None, {}, dict(backend='local')) and '://' not in str(filename)
        if file_client_args is not None or not is_local:
            return original(checkpoint, filename, file_client_args, backend_args)
        write_checkpoint(checkpoint, Path(filename))

    return save_checkpoint


def keep_config_of_run() -> None:
    """mmengine 0.10.7 writes a run's config over the one in its work dir that the run was started with.

    A kill within that leaves half of it, and a test leaves its checkpoint as ``load_from``. What a run was given beside
    that config is in the config that the log's folder has.
    """
    once(Runner, 'dump_config', keep_config)


def keep_config(original: Callable) -> Callable:
    """The ``dump_config`` that :func:`keep_config_of_run` puts in place of MMEngine's."""

    def dump_config(self):
        name = self.cfg.filename
        if name is None or Path(name).resolve() != Path(self.work_dir, Path(name).name).resolve():
            original(self)

    return dump_config


def resume_from_what_loads(find_newest: Callable[[str], str | None]) -> None:
    """mmengine 0.10.7 resumes from the file that ``last_checkpoint`` names, and starts anew where that is gone.

    Args:
        find_newest (callable): Finds the file in a work dir, None if there is none.
    """
    for module in (checkpoint_io, flexible_runner_module, runner_module, mmengine.runner):
        once(module, 'find_latest_checkpoint', lambda _original: lambda path: find_newest(path))


def survive_dead_data_workers(loader_type: type[DataLoader]) -> None:
    """torch 2.13: a data worker that dies, as of a video that crashes a decoder, ends the run.

    The loaders of a runner go on without the video. With ``num_workers=0`` they do without the settings of workers, of
    which torch refuses some.

    Args:
        loader_type (type): Ours, which takes the place of torch's own.
    """

    def build(original):

        def build_dataloader(dataloader, *args, **kwargs):
            if isinstance(dataloader, dict) and not dataloader.get('num_workers'):
                dataloader = {key: value for key, value in dataloader.items() if key not in _OF_WORKERS}
            loader = original(dataloader, *args, **kwargs)
            if type(loader) is DataLoader:
                loader.__class__ = loader_type  # runners ask for a subclass of torch's
            return loader

        return build_dataloader

    for runner_type in (Runner, flexible_runner_module.FlexibleRunner):
        once(runner_type, 'build_dataloader', build)


def compile_only_the_backbone() -> None:
    """mmengine 0.10.7 compiles ``train_step``, of which torch 2.13 can compile neither optimisers nor data samples.

    Of a model that has a backbone, that is what is compiled, for training: its time is nearly all of the model's.
    """

    def compile_part(original):

        def _maybe_compile(self, target):
            options = self.cfg.get('compile')
            if target != 'train_step' or not compile_backbone(self.model, options, self.logger):
                original(self, target)

        return _maybe_compile

    once(Runner, '_maybe_compile', compile_part)


def compile_backbone(model: torch.nn.Module, options: object, logger: logging.Logger) -> bool:
    """Compile the backbone of a model, which may be wrapped, for training.

    Args:
        model (nn.Module): The model.
        options (bool or dict, optional): What a config has as ``compile``: True, or arguments of ``torch.compile``;
            with None and False nothing is compiled.
        logger (Logger): Told of it.

    Returns:
        bool: Whether the model has a backbone, and there is something to compile.

    Raises:
        UserError: ``options`` are something else.
    """
    inner = model.get_submodule('module') if is_model_wrapper(model) else model
    backbone = getattr(inner, 'backbone', None)
    if options in (None, False) or not isinstance(backbone, torch.nn.Module):
        return False
    if options is not True and not isinstance(options, dict):
        raise UserError(f'compile={options!r} must be True, False or a dict of arguments of torch.compile')
    eager = backbone.forward
    try:
        compiled = torch.compile(eager, **(options if isinstance(options, dict) else {}))
    except (TypeError, RuntimeError) as error:
        raise UserError(f'compile={options!r} does not fit torch.compile: {describe(error)}') from None

    def forward(self, *args, **kwargs):
        if self is not backbone:  # a deep copy, which has weights of its own
            return type(self).forward(self, *args, **kwargs)
        return (compiled if self.training else eager)(*args, **kwargs)

    backbone.forward = types.MethodType(forward, backbone)  # which a deep copy binds to itself
    logger.info('The backbone is compiled for training: the first iteration takes minutes.')
    return True


def fold_without_tracing() -> None:
    """mmengine 0.10.7 folds batch normalisation by ``torch.fx``, which knows no size of a clip, and loses train mode.

    Modules that have a method ``fold_in_eval`` fold themselves. What it traced would stay in the mode that it is in.
    """

    def ask(original):

        def turn_on_efficient_conv_bn_eval(model, modules):
            for name in [modules] if isinstance(modules, str) else modules:
                try:
                    module = model.get_submodule(name)
                except AttributeError:
                    raise UserError(
                        f'efficient_conv_bn_eval={modules!r} must name modules of the model, such as backbone; it has '
                        f'no {name!r}'
                    ) from None
                parts = [part for part in module.modules() if hasattr(part, 'fold_in_eval')]
                for part in parts:
                    part.fold_in_eval()
                if not parts and any(isinstance(part, _BatchNorm) for part in module.modules()):
                    original(model, name)

        return turn_on_efficient_conv_bn_eval

    for module in (efficient_conv_bn_eval, runner_module):
        once(module, 'turn_on_efficient_conv_bn_eval', ask)
