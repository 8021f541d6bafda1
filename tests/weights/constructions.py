"""Checkpoints that are wrong, each in one way, and the doors that checkpoints come in by."""

import copy
import os
import struct
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmdualformer.checkpoints import load_recognizer
from mmdualformer.checkpoints.dualformer import convert_dualformer
from mmdualformer.checkpoints.recognizer import describe_recognizer
from mmdualformer.checkpoints.trained import convert_trained
from mmdualformer.checkpoints.vidtr import convert_vidtr, convert_vit
from mmdualformer.models import TokenTeacher
from mmdualformer.weights import check_checkpoint, hand_over, load_safely, read_progress, read_weights
from tests.helpers import REPO, Malicious

CONFIG = REPO / 'configs/dualformer_micro_motion.py'
WEIGHT = 'backbone.stages.0.patch_embed.proj.weight'
CLASSES = [f'class {label}' for label in range(8)]


@cache
def _config() -> Config:
    return Config.fromfile(CONFIG)


@cache
def _model() -> torch.nn.Module:
    return init_recognizer(_config().copy(), device='cpu')


def build_model() -> torch.nn.Module:
    """The recognizer that the checkpoints are of."""
    return copy.deepcopy(_model())


def make_runner(folder: Path) -> Runner:
    """A runner that has nothing left to train when it resumes after its first epoch."""
    with mock.patch.object(Runner, '_log_env'):  # which starts compilers to ask for their versions
        return _make_runner(folder)


def _make_runner(folder: Path) -> Runner:
    return Runner(
        model=build_model(),
        work_dir=str(folder),
        train_dataloader=DataLoader([0, 1], sampler=DefaultSampler([0, 1])),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
        param_scheduler=[dict(type='MultiStepLR', milestones=[1, 2])],
        default_hooks=dict(logger=None, checkpoint=None),
        default_scope='mmaction',
        log_level='ERROR',
    )


def good_checkpoint(folder: Path) -> dict:
    """What a run of the micro model writes after a step, which every door takes but the converters."""
    runner = make_runner(folder)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    for parameter in runner.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    runner.optim_wrapper.optimizer.step()
    schedules = runner.build_param_scheduler(runner.param_schedulers)
    described = describe_recognizer(_config())
    return dict(
        meta=dict(epoch=1, iter=2, seed=0, recognizer=described, dataset_meta=dict(classes=CLASSES)),
        state_dict=OrderedDict(runner.model.state_dict()),
        optimizer=runner.optim_wrapper.state_dict(),
        param_schedulers=[schedule.state_dict() for schedule in schedules],
        message_hub=dict(
            log_scalars={'train/loss': HistoryBuffer([1.0, 3.0], [1, 1])},
            runtime_info=dict(score=np.float64(0.5), values=np.arange(3)),
            resumed_keys={'train/loss': True},
        ),
    )


def _start_from(path: str, folder: Path) -> None:
    check_checkpoint(build_model(), path, prefix='backbone.')


def _resume(path: str, folder: Path) -> None:
    runner = make_runner(folder)
    runner._resume, runner._load_from = True, path
    hand_over(runner, check_checkpoint(runner.model, path, resume=True), path)
    runner.train()


def _load_by_engine(path: str, folder: Path) -> None:
    make_runner(folder).load_checkpoint(path)


def _initialize(path: str, folder: Path, **init_cfg) -> None:
    cfg = _config().copy()
    cfg.model.backbone.init_cfg = dict(checkpoint=path, **init_cfg)
    init_recognizer(cfg, device='cpu').init_weights()


# door -> what it does with a checkpoint's path, and a folder to write to
DOORS: dict[str, Callable[[str, Path], object]] = {
    'read': lambda path, folder: load_safely(path),
    'progress': lambda path, folder: read_progress(path),
    'test': lambda path, folder: check_checkpoint(build_model(), path),
    'start': _start_from,
    'resume': _resume,
    'described': lambda path, folder: load_recognizer(path),
    'configured': lambda path, folder: load_recognizer(path, cfg=_config().copy()),
    'mmaction': lambda path, folder: init_recognizer(_config().copy(), path, device='cpu'),
    'mmengine': _load_by_engine,
    'pretrained': lambda path, folder: _initialize(path, folder, type='Pretrained', prefix='backbone.'),
    'inflated': lambda path, folder: _initialize(path, folder, type='Inflated'),
    'teacher': lambda path, folder: TokenTeacher(str(CONFIG), path).model,
    'trained': lambda path, folder: convert_trained(path),
    'dualformer': lambda path, folder: convert_dualformer(read_weights(path)),
    'vidtr': lambda path, folder: convert_vidtr(read_weights(path)),
    'vit': lambda path, folder: convert_vit(read_weights(path)),
}
CONVERTERS = {'dualformer', 'vidtr', 'vit'}  # which take others' checkpoints alone
EVERY = set(DOORS)
WEIGHTS = {'test', 'resume', 'described', 'configured', 'mmaction', 'mmengine', 'teacher'}
BACKBONE = WEIGHTS | {'start', 'pretrained', 'inflated'}
FITTING = {'test', 'start', 'resume', 'described', 'configured', 'teacher', 'inflated'}  # who do not only warn
DESCRIBED = {'described', 'trained'}


def put(*path: str) -> Callable[[object], Callable[[dict], None]]:
    """A change that puts a value at a place in a checkpoint."""

    def with_value(value: object) -> Callable[[dict], None]:
        def change(checkpoint: dict) -> None:
            part = checkpoint
            for name in path[:-1]:
                part = part[name]
            part[path[-1]] = value

        return change

    return with_value


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def laughs() -> object:
    value: object = [1]
    for _ in range(60):
        value = [value, value]
    return value


def endless() -> list:
    value: list = []
    value.append(value)
    return value


def sparse() -> torch.Tensor:
    return torch.eye(3).to_sparse()


def quantized() -> torch.Tensor:
    return torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)


class Array:
    """Pickles to numpy's array with a state of its own."""

    def __init__(self, state: object) -> None:
        self.state = state

    def __reduce__(self) -> tuple:
        return np.empty(0).__reduce__()[0], (np.ndarray, (0,), b'b'), self.state


class Dtype:
    """Pickles to a dtype with a state of its own."""

    def __init__(self, name: object, state: object = None) -> None:
        self.args, self.state = (name, False, True), state

    def __reduce__(self) -> tuple:
        return (np.dtype, self.args, self.state) if self.state else (np.dtype, self.args)


class History:
    """Pickles to MMEngine's history with a state of its own."""

    def __init__(self, **state) -> None:
        self.state = state

    def __reduce__(self) -> tuple:
        return HistoryBuffer, (), self.state


POINTER = struct.pack('<Q', 0x41414141)
FIELDS = (3, '<', None, ('f',), {'f': (Dtype('O8'), 0)}, 8, 1, 27)  # a dtype's state
ARRAY = np.zeros(2)


def _statistics(checkpoint: dict) -> None:
    checkpoint['message_hub']['log_scalars']['a'] = History(
        max_length=3, _log_history=ARRAY, _count_history=ARRAY + 1, statistics_methods={'mean': OrderedDict}
    )


def _first_state(**values) -> Callable[[dict], None]:
    return lambda checkpoint: checkpoint['optimizer']['state'][0].update(values)


def _group(**values) -> Callable[[dict], None]:
    return lambda checkpoint: checkpoint['optimizer']['param_groups'][0].update(values)


def _backbone(**values) -> Callable[[dict], None]:
    return lambda checkpoint: checkpoint['meta']['recognizer']['model']['backbone'].update(values)


meta, weight, description = put('meta'), put('state_dict', WEIGHT), put('meta', 'recognizer')
info = put('message_hub', 'runtime_info', 'a')

# construction -> the change, and the doors that refuse what comes of it; the others take it
CONSTRUCTIONS: dict[str, tuple[Callable[[dict], None], set[str]]] = {
    'nothing': (lambda checkpoint: None, set()),
    'meta None': (meta(None), {'resume', *DESCRIBED}),
    'meta list': (meta([1]), EVERY),
    'meta tensor': (meta(torch.ones(1)), EVERY),
    'epoch text': (put('meta', 'epoch')('one'), {'resume'}),
    'epoch negative': (put('meta', 'epoch')(-1), {'resume'}),
    'epoch tensor': (put('meta', 'epoch')(torch.ones(1)), {'resume'}),
    'iter missing': (lambda checkpoint: checkpoint['meta'].pop('iter'), {'resume'}),
    'iter number with a point': (put('meta', 'iter')(1.5), {'resume'}),
    'seed text': (put('meta', 'seed')('x'), {'resume'}),
    'dataset_meta number': (put('meta', 'dataset_meta')(3), EVERY),
    'dataset_meta None': (put('meta', 'dataset_meta')(None), set()),
    'classes number': (put('meta', 'dataset_meta')(dict(classes=3)), EVERY),
    'classes text': (put('meta', 'dataset_meta')(dict(classes='ant')), EVERY),
    'classes numbers': (put('meta', 'dataset_meta')(dict(classes=[1, 2])), EVERY),
    'seconds text': (put('meta', 'dataset_meta')(dict(clip_seconds='2')), EVERY),
    'seconds NaN': (put('meta', 'dataset_meta')(dict(clip_seconds=float('nan'))), EVERY),
    'seconds none': (put('meta', 'dataset_meta')(dict(clip_seconds=0.0)), EVERY),
    'classes many': (put('meta', 'dataset_meta')(dict(classes=[*CLASSES, 'x'])), {'described', 'configured'}),
    'description number': (description(3), DESCRIBED),
    'description of code': (_backbone(type='os.system'), {'described'}),
    'description type list': (_backbone(type=['os']), {'described'}),
    'description wrong argument': (_backbone(depth=3), {'described'}),
    'description wrong value': (_backbone(window_size='x'), {'described'}),
    'description huge': (_backbone(arch=dict(embed_dims=[2**40] * 3)), {'described'}),
    'description no model': (put('meta', 'recognizer', 'model')(5), {'described'}),
    'description other model': (put('meta', 'recognizer', 'model')(dict(type='ReLU')), {'described'}),
    'pipeline number': (put('meta', 'recognizer', 'test_pipeline')(5), {'described'}),
    'pipeline of code': (put('meta', 'recognizer', 'test_pipeline')([dict(type='os.system')]), {'described'}),
    'pipeline argument': (put('meta', 'recognizer', 'test_pipeline')([dict(type='Resize', x=1)]), {'described'}),
    'optimizer empty': (put('optimizer')({}), {'resume'}),
    'optimizer None': (put('optimizer')(None), {'resume'}),
    'optimizer group size': (_group(params=[0, 1]), {'resume'}),
    'optimizer groups': (lambda checkpoint: checkpoint['optimizer']['param_groups'].clear(), {'resume'}),
    'optimizer lr text': (_group(lr='fast'), {'resume'}),
    'optimizer betas': (_group(betas=(0.9,)), {'resume'}),
    'optimizer average shape': (_first_state(exp_avg=torch.ones(3)), {'resume'}),
    'optimizer average text': (_first_state(exp_avg='x'), {'resume'}),
    'optimizer average missing': (lambda checkpoint: checkpoint['optimizer']['state'][0].pop('exp_avg'), {'resume'}),
    'optimizer step text': (_first_state(step='x'), {'resume'}),
    'schedules number': (put('param_schedulers')(3), {'resume'}),
    'schedules too few': (put('param_schedulers')([]), {'resume'}),
    'schedules texts': (put('param_schedulers')(['x']), {'resume'}),
    'schedule step text': (lambda checkpoint: checkpoint['param_schedulers'][0].update(last_step='x'), {'resume'}),
    'schedule method': (lambda checkpoint: checkpoint['param_schedulers'][0].update(step=1), {'resume'}),
    'hub None': (put('message_hub')(None), {'resume'}),
    'hub empty': (put('message_hub')({}), {'resume'}),
    'hub list': (put('message_hub', 'resumed_keys')([]), {'resume'}),
    'hub numbers': (put('message_hub', 'runtime_info')({3: 4}), {'resume'}),
    'history with statistics': (_statistics, set()),
    'history lengths': (info(History(max_length=3, _log_history=ARRAY, _count_history=np.zeros(1))), EVERY),
    'history text': (info(History(max_length=3, _log_history='x', _count_history='x')), EVERY),
    'history max_length': (info(History(max_length='x', _log_history=ARRAY, _count_history=ARRAY)), EVERY),
    'weights None': (put('state_dict')(None), EVERY),
    'weights list': (put('state_dict')([torch.ones(1)]), EVERY),
    'weights numbered': (put('state_dict', 3)(torch.ones(1)), EVERY),
    'weight sparse': (put('state_dict', 'extra')(sparse()), EVERY),
    'weight quantized': (put('state_dict', 'extra')(quantized()), EVERY),
    'weight meta': (weight(torch.empty(3, device='meta')), EVERY),
    'weight huge': (weight(torch.ones(1).expand(2**40)), EVERY),
    'weight shape': (weight(torch.ones(3)), FITTING),
    'weight complex': (weight(torch.ones(32, 3, 2, 4, 4, dtype=torch.complex64)), BACKBONE),
    'weight whole': (lambda c: weight(c['state_dict'][WEIGHT].int())(c), BACKBONE),
    'weight text': (weight('text'), BACKBONE),
    'weight with an attribute': (lambda c: setattr(c['state_dict'][WEIGHT], 'note', 'x'), set()),
    'array of objects': (info(Array((1, (1,), Dtype('O8'), False, POINTER))), EVERY),
    'array called': (info(Malicious(np.ndarray, (1,), Dtype('O8'), POINTER)), EVERY),
    'array of objects by text': (info(Malicious(np.ndarray, (1,), 'O', POINTER)), EVERY),
    'array with fields': (info(Array((1, (1,), Dtype('V8', FIELDS), False, POINTER))), EVERY),
    'dtype becomes one of fields': (info(Array((1, (1,), Dtype('f8', FIELDS), False, POINTER))), EVERY),
    'array too short': (info(Array((1, (9,), Dtype('f8'), False, POINTER))), EVERY),
    'array negative': (info(Array((1, (-1, -1), Dtype('f8'), False, POINTER))), EVERY),
    'array huge': (info(Array((1, (2**62, 4), Dtype('f8'), False, b''))), EVERY),
    'array without state': (info(Malicious(np.empty(0).__reduce__()[0], np.ndarray, (0,), b'b')), EVERY),
    'scalar of objects': (info(Malicious(np.float64(0).__reduce__()[0], Dtype('O8'), POINTER)), EVERY),
    'scalar too short': (info(Malicious(np.float64(0).__reduce__()[0], Dtype('f8'), b'1')), EVERY),
    'code': (info(Malicious(os.system, 'true')), EVERY),
    'attribute': (info(Malicious(getattr, np.ndarray, 'tofile')), EVERY),
    'a class': (info(OrderedDict), EVERY),
    'nested': (info(nested(300)), EVERY),
    'laughs': (info(laughs()), EVERY),
    'in itself': (info(endless()), EVERY),
}  # fmt: skip


def write(checkpoint: object, path: Path) -> str:
    """Write a checkpoint, as ``torch.save`` does."""
    torch.save(checkpoint, path)
    return str(path)
