"""The known faults of the installed stack: each is provoked twice, without our mends and with them.

What fails without and works with a mend is mended. What works without it is a fault that this stack does not have.
What fails with it is a fault of ours to mend.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mmdualformer.version import __version__

from .packages import SAME_FILES, install_all, version_of
from .running import FAULT, OK, Check, Result, first_line, run

LIMIT = 90  # seconds
IMPORTING = ('stub_drn', 'do_without_multimodal')  # mends without which mmaction.models cannot be imported
FALSE_ALARMS = 'MultiScaleDeformableAttention|pkg_resources is deprecated'


def check_stack() -> Iterator[Result]:
    """Import the package, and try each known fault without and with its mend."""
    checks = [Check('mmdualformer', partial(_try_all, mended), install_all(), LIMIT) for mended in (False, True)]
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for result in run(checks, 2):
        if result.name == 'mmdualformer':
            yield result
            return
        (after if result.name in before else before)[result.name] = result.text
    stack = [f'{name} {version_of(name)}' for name in ('mmengine', 'mmaction2', *SAME_FILES[0]) if version_of(name)]
    yield Result('mmdualformer', OK, f'{__version__} can be imported, with {", ".join(stack)}')
    for name, words, _ in FAULTS:
        if after[name]:
            text = f'not mended: {words} ({name}): {after[name]}'
            yield Result('known fault', FAULT, text, install_all())
        else:
            yield Result('known fault', OK, f'{"mended" if before[name] else "not in this stack"}: {words} ({name})')


def _try_all(mended: bool) -> Iterator[Result]:
    """In a process of its own: try each fault. A result has the name of the mend, and what went wrong as its text."""
    shown: list[str] = []
    warnings.simplefilter('always')
    warnings.showwarning = lambda message, *_, **__: shown.append(str(message))
    if mended:
        del sys.modules['mmdualformer']  # which is there, but was not run
    main = sys.modules['__main__']
    main.__file__ = 'long_video_demo.py'  # one of MMAction2's tools, and a function of it
    main.init_recognizer = lambda model: model  # type: ignore[attr-defined]
    import mmdualformer  # noqa: F401

    for name, _, try_it in FAULTS:
        try:
            yield Result(name, OK, '' if try_it(shown) else 'it is as it was')
        except Exception as error:
            yield Result(name, OK, f'{type(error).__name__}: {first_line(error)}')
        if name in IMPORTING and not mended:
            from mmdualformer.compat import mmaction2

            getattr(mmaction2, name)()  # what follows needs mmaction.models


def _false_alarms(shown: list[str]) -> bool:
    import mmaction.models  # noqa: F401
    import pkg_resources  # noqa: F401

    return not [message for message in shown if re.search(FALSE_ALARMS, message)]


def _drn(_: list[str]) -> bool:
    from mmaction.models.localizers import DRN

    return bool(DRN)


def _multimodal(_: list[str]) -> bool:
    import mmaction.models

    return bool(mmaction.models)


def _checkpoints(_: list[str]) -> bool:
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer
    from mmengine.runner import CheckpointLoader

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'epoch_1.pth')
        history = HistoryBuffer()
        history.update(3.0)
        torch.save(dict(state_dict={}, message_hub=dict(log_scalars=dict(loss=history), rate=np.float64(0.5))), path)
        loaded = CheckpointLoader.load_checkpoint(path, logger='silent')
        return loaded['message_hub']['log_scalars']['loss'].current() == 3


def _our_configs(_: list[str]) -> bool:
    from mmengine.config import Config

    path, _scope = Config._get_cfg_path('mmdualformer::dualformer_micro_motion.py', '')
    return Path(path).is_file()


def _no_weights(_: list[str]) -> bool:
    from mmengine.hub import hub

    try:
        return 'Weights' in hub._get_cfg_metainfo(str(Path(__file__).parents[1]), 'vidtr_s_k400.py')
    except LookupError as error:
        return 'vidtr_s_k400' in str(error)


def _distribute(_: list[str]) -> bool:
    import torch
    import torch.distributed as dist
    from mmengine.dist import init_dist
    from mmengine.model import MMDistributedDataParallel

    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    os.environ.update(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    init_dist('pytorch', backend='nccl')
    try:
        device = 'cuda:0' if torch.cuda.is_available() else 'cpu'
        model = MMDistributedDataParallel(torch.nn.Linear(1, 1).to(device), device_ids=[0])
        shape = model(torch.ones(1, 1, device=device)).shape
        del model  # of the two that hold the group it must not be the last, or may wait for ever
        return shape == (1, 1)
    finally:
        dist.destroy_process_group()


def _listens(_: list[str]) -> bool:
    import importlib

    import psutil

    rendezvous = importlib.import_module('torch.distributed.rendezvous')  # a function of that name hides it
    store = rendezvous.TCPStore('127.0.0.1', 0, is_master=True, wait_for_workers=False)
    sockets = psutil.Process().net_connections('tcp')
    return {s.laddr.ip for s in sockets if s.status == 'LISTEN' and s.laddr.port == store.port} == {'127.0.0.1'}


def _amp(_: list[str]) -> bool:
    import torch
    from mmaction.registry import OPTIM_WRAPPERS

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    return bool(OPTIM_WRAPPERS.build(dict(type='AmpOptimWrapper', optimizer=optimizer)))


def _resume(_: list[str]) -> bool:
    import logging

    import torch
    from mmengine.runner import Runner

    with tempfile.TemporaryDirectory() as folder:
        model = torch.nn.Linear(1, 1)
        path = os.path.join(folder, 'epoch_1.pth')
        torch.save(dict(state_dict=model.state_dict(), meta=dict(epoch=1, config='model = 1')), path)
        runner = types.SimpleNamespace(model=model, logger=logging.getLogger(), call_hook=lambda *_, **__: None)
        return 'config' not in Runner.load_checkpoint(runner, path)['meta']


def _infer_alone(_: list[str]) -> bool:
    import torch
    from mmengine.config import ConfigDict
    from mmengine.infer import BaseInferencer

    with tempfile.TemporaryDirectory() as folder:
        path, made = os.path.join(folder, 'epoch_1.pth'), os.path.join(folder, 'made')
        code = f'model = dict(type="Nothing", made=__import__("os").mkdir({made!r}))'
        torch.save(dict(state_dict={}, meta=dict(cfg=code)), path)
        try:
            BaseInferencer._init_model(types.SimpleNamespace(), ConfigDict(), path)
        except Exception:
            pass
        return not os.path.exists(made)


def _other_weights(_: list[str]) -> bool:
    import torch
    from mmengine.runner import checkpoint as checkpoint_io

    from mmdualformer.errors import UserError

    complex_weights = dict(weight=torch.ones(1, 1, dtype=torch.complex64), bias=torch.zeros(1))
    try:
        checkpoint_io.load_state_dict(torch.nn.Linear(1, 1), complex_weights)
    except UserError:
        return True
    return False


class _Call:
    """Pickles to a call, which weights-only loading refuses."""

    def __reduce__(self) -> tuple:
        return os.getpid, ()


def _other_readers(_: list[str]) -> bool:
    import torch
    from mmengine.runner import checkpoint as checkpoint_io

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'model.pth')
        torch.save(dict(state_dict={}, meta=_Call()), path)
        try:
            checkpoint_io.load_url(path.as_uri(), model_dir=os.path.join(folder, 'cache'))  # as from a server
        except Exception:
            return True
    return False


def _half_a_checkpoint(_: list[str]) -> bool:
    import resource

    import torch
    from mmengine.runner import save_checkpoint

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'epoch_1.pth')
        save_checkpoint(dict(state_dict=dict(weight=torch.ones(1))), path)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))  # the disk is full after 64 KiB
        try:
            save_checkpoint(dict(state_dict=dict(weight=torch.zeros(1 << 16))), path)
        except Exception:
            pass
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        return torch.load(path)['state_dict']['weight'].sum() == 1


def _config_of_run(_: list[str]) -> bool:
    from mmengine.config import Config
    from mmengine.runner import Runner

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'config.py')
        path.write_text('resume = False\n', encoding='utf-8')
        cfg = Config.fromfile(str(path))
        cfg.resume = True
        Runner.dump_config(types.SimpleNamespace(cfg=cfg, work_dir=folder, timestamp=''))
        return path.read_text(encoding='utf-8') == 'resume = False\n'


def _compiled(_: list[str]) -> bool:
    import logging

    import torch
    from mmengine.runner import Runner

    model: Any = torch.nn.Module()
    model.backbone, model.train_step = torch.nn.Identity(), str
    cfg = dict(compile=dict(backend='eager'))
    runner = types.SimpleNamespace(model=model, cfg=cfg, logger=logging.getLogger())
    Runner._maybe_compile(runner, 'train_step')
    return model.train_step is str


def _folded(_: list[str]) -> bool:
    import torch
    from mmengine.model.efficient_conv_bn_eval import turn_on_efficient_conv_bn_eval

    calls: list[str] = []
    model: Any = torch.nn.Module()
    model.backbone = torch.nn.Identity()
    model.backbone.fold_in_eval = lambda: calls.append('folded')
    turn_on_efficient_conv_bn_eval(model, 'backbone')
    return calls == ['folded']


def _flexible(_: list[str]) -> bool:
    from mmengine._strategy import SingleDeviceStrategy

    content = dict(meta=dict(config='x = 1', iter=1))
    strategy: Any = types.SimpleNamespace(
        load_checkpoint=lambda *_, **__: content, _randomness={}, logger=types.SimpleNamespace(info=lambda _: None)
    )
    SingleDeviceStrategy.resume(strategy, '', resume_optimizer=False, resume_param_scheduler=False)
    return 'config' not in content['meta']


def _deepspeed(_: list[str]) -> bool:
    from mmengine._strategy.deepspeed import register_deepspeed_optimizers

    for name in ('deepspeed', 'deepspeed.ops', 'deepspeed.ops.adam', 'deepspeed.ops.lamb'):
        module: Any = types.ModuleType(name)
        for optimizer in ('DeepSpeedCPUAdam', 'FusedAdam', 'FusedLamb'):
            setattr(module, optimizer, type(optimizer, (), {}))
        sys.modules[name] = module
    try:
        return 'FusedAdam' in register_deepspeed_optimizers()
    except ImportError:
        return False


@contextmanager
def _shard() -> Iterator[Any]:
    """A sharded model and its optimizer, in this process alone."""
    import torch
    from mmengine.model import MMFullyShardedDataParallel
    from torch.distributed.fsdp import FullOptimStateDictConfig, FullyShardedDataParallel, StateDictType

    dist: Any = torch.distributed
    dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
    try:
        model = MMFullyShardedDataParallel(torch.nn.Linear(1, 1), device_id=0)
        settings = FullOptimStateDictConfig(rank0_only=True)
        full = StateDictType.FULL_STATE_DICT
        FullyShardedDataParallel.set_state_dict_type(model, full, optim_state_dict_config=settings)
        optimizer: Any = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.5)
        model(torch.ones(1, 1)).sum().backward()
        optimizer.step()
        optimizer.optimizer = optimizer
        yield types.SimpleNamespace(model=model, optim_wrapper=optimizer)
    finally:
        dist.destroy_process_group()


def _sharded(_: list[str]) -> bool:
    try:
        with _shard():
            return True
    except RuntimeError:  # there is no GPU of that number
        return False


def _shards(_: list[str]) -> bool:
    from mmengine._strategy import FSDPStrategy

    with _shard() as shard:
        state = FSDPStrategy.optim_state_dict(shard)
        FSDPStrategy.load_optim_state_dict(shard, state)
        return set(state['state']) == {0, 1}


def _no_last_checkpoint(_: list[str]) -> bool:
    import torch
    from mmengine.runner import find_latest_checkpoint

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'epoch_1.pth')
        state: dict[str, dict] = dict(
            meta=dict(epoch=1, iter=1),
            state_dict={},
            optimizer=dict(state={}, param_groups=[]),
            message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
        )
        torch.save(state, path)
        Path(folder, 'last_checkpoint').write_text(os.path.join(folder, 'epoch_2.pth'), encoding='utf-8')
        return find_latest_checkpoint(folder) == path


def _hue(_: list[str]) -> bool:
    import numpy as np
    from mmaction.datasets.transforms import ColorJitter

    return ColorJitter.adjust_hue(np.zeros((1, 1, 3), np.uint8), -0.1).shape == (1, 1, 3)


def _bfloat16(_: list[str]) -> bool:
    import torch
    from mmaction.models import I3DHead
    from mmaction.structures import ActionDataSample

    head = I3DHead(num_classes=5, in_channels=4)
    with torch.autocast('cpu', torch.bfloat16):
        losses = head.loss(torch.randn(1, 4, 1, 2, 2), [ActionDataSample().set_gt_label(0)])
    return bool(losses['loss_cls'].isfinite())


def _several_labels(_: list[str]) -> bool:
    import torch
    from mmaction.models import I3DHead

    head = I3DHead(num_classes=2, in_channels=4, multi_class=True, average_clips='prob')
    return head.average_clip(torch.tensor([[30.0, 30.0]])).round().tolist() == [[1.0, 1.0]]


def _show(_: list[str]) -> bool:
    import torch
    from mmaction.engine.hooks import VisualizationHook

    drawn = []
    hook = types.SimpleNamespace(enable=True, interval=1, out_dir=None, draw_args=dict(show=False))
    hook._visualizer = types.SimpleNamespace(add_datasample=lambda name, video, **_: drawn.append(video.shape))
    VisualizationHook._draw_samples(hook, 0, dict(inputs=[torch.zeros(2, 3, 4, 8, 8)]), [{}])
    return drawn == [(4, 8, 8, 3)]


def _rates(_: list[str]) -> bool:
    import numpy as np
    from mmaction.datasets.transforms import SampleFrames

    sample = SampleFrames(clip_len=4, target_fps=2, test_mode=True).transform
    video = dict(total_frames=8, avg_fps=2, start_index=0)
    late = np.array([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 3.5])  # seconds at which the frames are shown
    by_number, by_time = sample(dict(video)), sample(dict(video, frame_times=late))
    return by_number['frame_inds'].tolist() != by_time['frame_inds'].tolist()


def _moviepy(_: list[str]) -> bool:
    from moviepy.editor import ImageSequenceClip

    return bool(ImageSequenceClip)


def _repeat(_: list[str]) -> bool:
    from mmaction.datasets.repeat_aug_dataset import get_type

    return get_type(dict(type='VideoInit')) == 'DecordInit'


def _infer(_: list[str]) -> bool:
    from mmaction.apis.inferencers import ActionRecogInferencer
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    from mmdualformer.datasets import VideoDecode, VideoInit

    init_default_scope('mmaction')
    steps = [dict(type=step.__name__) for step in (VideoInit, VideoDecode)]
    cfg = Config(dict(model=dict(type='Recognizer3D'), test_dataloader=dict(dataset=dict(pipeline=steps))))
    inferencer = types.SimpleNamespace(input_format='video', model=None, pack_cfg={})
    pipeline = ActionRecogInferencer._init_pipeline(inferencer, cfg)
    return not [step for step in pipeline.transforms if 'Decord' in type(step).__name__]


def _pairs(_: list[str]) -> bool:
    import torch
    from mmaction.models import FeatureHead

    return FeatureHead()((torch.ones(1, 2, 1, 1, 1), None)).shape == (1, 2)


def _tools(_: list[str]) -> bool:
    step = dict(type='UniformSample')
    model = types.SimpleNamespace(cfg=types.SimpleNamespace(test_pipeline=[step]))
    sys.modules['__main__'].init_recognizer(model)
    return step['type'] == 'SampleFrames'


def _workers(_: list[str]) -> bool:
    from mmengine.runner import Runner
    from torch.utils.data import DataLoader

    cfg = dict(dataset=[0], batch_size=1, num_workers=1, sampler=dict(type='DefaultSampler', shuffle=False))
    return type(Runner.build_dataloader(cfg)) is not DataLoader


# the name of the mend, mostly in mmdualformer/compat/, the fault in a few words, and what works without the fault
FAULTS: tuple[tuple[str, str, Callable[[list[str]], bool]], ...] = (
    ('stub_drn', "mmaction2 1.2.0's wheel lacks a localizer, and mmaction.models needs it", _drn),
    ('do_without_multimodal', 'mmaction2 needs timm where there is a transformers', _multimodal),
    ('silence_false_alarms', 'mmcv-lite and setuptools warn at every start', _false_alarms),
    ('load_checkpoints_weights_only', "torch refuses mmengine's own checkpoints", _checkpoints),
    ('find_our_configs', 'mmengine finds configs of its own packages only', _our_configs),
    ('say_that_no_weights_are_published', 'mmengine asserts that weights are published', _no_weights),
    ('distribute_on_cpu', 'mmengine sets a CUDA device where there is none', _distribute),
    ('listen_where_told', 'torchrun listens on all interfaces', _listens),
    ('FiniteAmpOptimWrapper', 'mmengine refuses mixed precision on a CPU', _amp),
    ('resume_without_running_configs', 'mmengine runs the config in a checkpoint', _resume),
    ('infer_without_running_configs', "mmengine's inferencer runs the config in a checkpoint", _infer_alone),
    ('refuse_weights_of_other_kinds', 'mmengine loads complex weights as real ones', _other_weights),
    ('read_checkpoints_with', 'torch.hub runs code of a checkpoint from a URL', _other_readers),
    ('write_checkpoints_as_a_whole', 'mmengine leaves half a checkpoint where a write fails', _half_a_checkpoint),
    ('keep_config_of_run', 'mmengine overwrites the config that a run was started with', _config_of_run),
    ('compile_only_the_backbone', 'mmengine compiles the optimizer, which torch cannot', _compiled),
    ('fold_without_tracing', 'mmengine folds batch normalisation by torch.fx', _folded),
    ('mend_flexible_runner', "mmengine's FlexibleRunner runs the config in a checkpoint", _flexible),
    ('register_optimizers_that_are_there', 'mmengine imports optimizers that DeepSpeed has no more', _deepspeed),
    ('shard_without_gpu', 'mmengine shards models on GPUs only', _sharded),
    ('resume_shards', 'mmengine cannot resume sharded optimizers', _shards),
    ('resume_from_what_loads', 'mmengine resumes from a file that is gone', _no_last_checkpoint),
    ('survive_dead_data_workers', 'a data worker that dies ends the run', _workers),
    ('shift_hue_beyond_uint8', "mmaction2's ColorJitter overflows with numpy 2", _hue),
    ('train_in_bfloat16', "mmaction2's heads cannot count in bfloat16", _bfloat16),
    ('score_several_labels', "mmaction2's heads of several labels give no probabilities", _several_labels),
    ('show_predictions_of_clips', "mmaction2's --show-dir takes no views, and writes no labels", _show),
    ('count_time_where_rates_vary', 'mmaction2 samples by number where times vary', _rates),
    ('write_videos_without_moviepy', 'mmaction2 needs moviepy 1', _moviepy),
    ('repeat_clips_of_our_decoders', "mmaction2 repeats clips of decord's transforms only", _repeat),
    ('infer_with_our_decoders', "mmaction2's inferencer decodes with decord only", _infer),
    ('pool_features_of_pairs', "mmaction2's FeatureHead takes SlowFast's pairs only", _pairs),
    ('name_what_running_tool_looks_for', "mmaction2's tools know its own names only", _tools),
)
