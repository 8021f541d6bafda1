"""Faults of the installed stack, and the only place that knows of them.

Importing ``mmdualformer`` calls :func:`apply`. Each mend says which version and which fault it is for, does nothing
where the fault is gone, and leaves alone what works. What a mend replaces keeps its signature.
"""

import argparse
import functools
import gc
import importlib.util
import inspect
import os
import pickle
import sys
import types
import warnings
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import mmengine
import numpy as np
import torch
import torch.distributed
import torch.nn as nn
from mmaction.registry import DATASETS, MODELS, OPTIM_WRAPPERS, TRANSFORMS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import utils as dist_utils
from mmengine.fileio import dump, load
from mmengine.hub import hub
from mmengine.logging import HistoryBuffer
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import Registry
from mmengine.runner import Runner
from mmengine.runner import checkpoint as checkpoint_io
from mmengine.utils import check_file_exist, digit_version
from PIL import Image
from torch.utils.data import DataLoader, Dataset

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
    write_videos_without_moviepy()
    repeat_clips_of_our_decoders()
    infer_with_our_decoders()
    pool_features_of_pairs()
    name_what_running_tool_looks_for()


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
            raise ImportError(
                "the DRN localizer is missing from mmaction2 1.2.0's wheel; install mmaction2 from its source to use it"
            )

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
            return original(
                self, cls_scores.float() if cls_scores.dtype == torch.bfloat16 else cls_scores, *args, **kwargs
            )

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


def write_videos_without_moviepy() -> None:
    """mmaction2 1.2.0: its demos and visualizers write videos with ``moviepy.editor``, which moviepy 2 has no more.

    A stub takes the place of the missing module and has the one class that MMAction2 uses.
    """
    name = 'moviepy.editor'
    moviepy = importlib.util.find_spec('moviepy')
    if name in sys.modules or (moviepy and Path(moviepy.submodule_search_locations[0], 'editor.py').exists()):
        return

    class ImageSequenceClip:
        def __init__(self, sequence: Sequence[np.ndarray], fps: float) -> None:
            self.frames = [np.ascontiguousarray(frame) for frame in sequence]
            self.fps = fps

        def write_videofile(self, filename: str, **_kwargs) -> None:
            height, width = (side // 2 * 2 for side in self.frames[0].shape[:2])  # H.264 wants even sides
            with av.open(filename, 'w') as container:
                stream = container.add_stream('libx264', rate=Fraction(self.fps).limit_denominator(1001))
                stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
                for frame in self.frames:
                    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]))
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())

        def write_gif(self, filename: str, **_kwargs) -> None:
            first, *others = map(Image.fromarray, self.frames)
            first.save(filename, save_all=True, append_images=others, duration=1000 / self.fps, loop=0)

    sys.modules[name] = stub = types.ModuleType(name)
    stub.ImageSequenceClip = ImageSequenceClip


_OUR_NAMES = {'VideoInit': 'DecordInit', 'VideoDecode': 'DecordDecode'}  # what MMAction2 has in their places


def repeat_clips_of_our_decoders() -> None:
    """mmaction2 1.2.0: ``RepeatAugDataset`` takes no transforms but those that are named as decord's."""
    from mmaction.datasets import repeat_aug_dataset

    def translate(original):

        def get_type(transform):
            name = original(transform)
            return _OUR_NAMES.get(name, name)

        return get_type

    _once(repeat_aug_dataset, 'get_type', translate)


def infer_with_our_decoders() -> None:
    """mmaction2 1.2.0: ``ActionRecogInferencer`` reads all files with decord, whatever the config says.

    It also takes one clip of a video, for speed, if the model is called Recognizer3D, which ours only derive from.
    """
    from mmaction.apis.inferencers import ActionRecogInferencer
    from mmaction.models import Recognizer3D

    def keep(original):

        def _init_pipeline(self, cfg):
            # the original changes the config
            ours = {_OUR_NAMES.get(step['type']): step for step in map(dict, cfg.test_dataloader.dataset.pipeline)}
            if isinstance(self.model, Recognizer3D):
                for step in cfg.test_dataloader.dataset.pipeline:
                    if step['type'] == 'SampleFrames':
                        step['num_clips'] = 1
            pipeline = original(self, cfg)
            if self.input_format == 'video':
                pipeline.transforms = [
                    TRANSFORMS.build(ours[name]) if (name := type(step).__name__) in ours else step
                    for step in pipeline.transforms
                ]
            return pipeline

        return _init_pipeline

    _once(ActionRecogInferencer, '_init_pipeline', keep)


def pool_features_of_pairs() -> None:
    """mmaction2 1.2.0: ``FeatureHead`` pools no pair but SlowFast's. Of Video Mobile-Former's it takes the features."""
    from mmaction.models import FeatureHead

    def take_features(original):

        def forward(self, x, *args, **kwargs):
            if isinstance(x, tuple) and self.backbone_name is None:
                x = x[0]
            return original(self, x, *args, **kwargs)

        return forward

    _once(FeatureHead, 'forward', take_features)


def name_what_running_tool_looks_for() -> None:
    """mmaction2 1.2.0: some tools look for classes by name, and stop at, or pass over, others that do the same.

    They import us while they read a config; the function that they give it to next shows them the names they know.
    """
    tool = sys.modules['__main__']
    function, mend = {
        'check_videos.py': ('init_default_scope', _check_our_videos),
        'clip_feature_extraction.py': ('merge_args', _extract_our_features),
        'long_video_demo.py': ('init_recognizer', _sample_uniformly_too),
        'webcam_demo.py': ('init_recognizer', _sample_uniformly_too),
    }.get(Path(getattr(tool, '__file__', None) or '').name, (None, None))
    if hasattr(tool, function or ''):
        _once(tool, function, functools.partial(mend, tool))


def _check_our_videos(tool: types.ModuleType, original):

    def init_default_scope(scope):
        original(scope)
        dataset = tool.cfg[f'{tool.args.split}_dataloader'].dataset
        if _is_kind('VideoDataset', DATASETS, dataset.type):
            tool.DATASETS = types.SimpleNamespace(build=functools.partial(_build_as, dataset.type))
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
            tool.split_feats = functools.partial(_write_features, dataset)
        cfg = original(cfg, args)
        dataset.type, model.type = ours
        if _is_kind('RobustVideoDataset', DATASETS, dataset.type):
            dataset.type = 'StrictVideoDataset'  # no features of blank frames
        return cfg

    return merge_args


def _write_features(dataset: dict, args: argparse.Namespace) -> None:
    """What ``split_feats`` of the tool does, also with scores, spaces in paths, and paths that leave the folder."""
    results = load(args.dump)
    dataset = _build_as(dataset['type'], {**dataset, 'pipeline': []})
    root = dataset.data_prefix['video']
    for index, result in enumerate(results):
        video = Path(dataset.get_data_info(index)['filename'])
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


def _build_as(type_: str | type, cfg: dict) -> Dataset:
    """Build a data set of another type than its config says."""
    return DATASETS.build({**cfg, 'type': type_})
