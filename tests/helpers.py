import gc
import os
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn as nn
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch.utils._python_dispatch import TorchDispatchMode

from mmdualformer.video.isolation import frozen_garbage

REPO = Path(__file__).parents[1]


class Operators(TorchDispatchMode):
    """Notes the operators of PyTorch that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.called: list = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.called.append(func)
        return func(*args, **kwargs or {})


class Malicious:
    """Pickles to a call."""

    def __init__(self, function, *args) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple:
        return self.call


def assert_one_line(result, *parts: str, status: int = 1) -> None:
    """A tool's process failed with one line of error, which has ``parts`` in it, and nothing like a traceback.

    ``status`` is 2 where the command line is wrong, whatever the files.
    """
    output = result.stdout + result.stderr
    assert result.returncode == status, output
    assert 'Traceback' not in output, output
    errors = [line for line in output.splitlines() if line.startswith('error: ')]
    assert len(errors) == 1, output
    assert 'UserError' not in errors[0]
    for part in parts:
        assert part in errors[0]


def free_port() -> str:
    """A port that no program listens on."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def build_backbone(cfg: Config) -> nn.Module:
    """The backbone of a config, on the meta device."""
    init_default_scope('mmaction')
    with torch.device('meta'):
        return MODELS.build(cfg.model.backbone)


def config_text(path: Path) -> str:
    """A config's file as one line, for what its comments say."""
    return ' '.join(path.read_text().replace('#', ' ').split())


def randomize_norms(model: nn.Module) -> None:
    """Give batch normalisation parameters and running statistics that a mistake in it would show."""
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm3d)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)


def write_state_of_training(path: Path, step: int, **content) -> str:
    """Write a checkpoint that a run can go on from, with other ``content``, or without what is None of it."""
    whole = dict(
        meta=dict(epoch=step // 10, iter=step),
        state_dict=dict(weight=torch.arange(1000.0)),
        optimizer=dict(state={}, param_groups=[]),
        message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
    )
    torch.save({key: value for key, value in {**whole, **content}.items() if value is not None}, path)
    return str(path)


def break_off(path) -> None:
    """Cut off the last quarter of a file of :func:`write_video`, which its index still counts."""
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: (content.index(b'mdat') + 3 * len(content)) // 4])


def turn(path: Path) -> None:
    """Mark an mp4 file as filmed with the camera on its side."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b'tkhd') + 44
    content[matrix : matrix + 36] = struct.pack('>9i', 0, 1 << 16, 0, -1 << 16, 0, 0, 64 << 16, 0, 1 << 30)
    path.write_bytes(content)


def leave_real_time() -> None:
    """Undo what SVT-AV1 does where it may: it makes the process a real-time one, which lets no other have its core."""
    if hasattr(os, 'sched_setscheduler'):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def write_video(path, codec='libx264', frames=24, **options) -> str:
    """Gray frames, each a little lighter than the one before; in mp4 files the index comes first."""
    with av.open(str(path), 'w', options={'movflags': 'faststart'}) as container:
        stream = container.add_stream(codec, rate=24, options=options)
        stream.width = stream.height = 64
        stream.pix_fmt = 'yuv420p'
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 8 * i, np.uint8), format='rgb24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    leave_real_time()
    return str(path)


def fork() -> int:
    """As ``os.fork``; the child leaves alone what is garbage of the tests before: exported models hang in a fork."""
    with frozen_garbage():
        return os.fork()


@contextmanager
def garbage_that_hangs_in_a_fork() -> Iterator[None]:
    """As of libraries whose objects wait at their end for a thread, which a fork does not have."""
    gc.disable()
    try:
        garbage = _HangsInAFork()
        garbage.itself = garbage
        del garbage
        yield
    finally:
        gc.enable()


class _HangsInAFork:
    def __init__(self) -> None:
        self.process = os.getpid()

    def __del__(self) -> None:
        if os.getpid() != self.process:
            signal.sigwait([signal.SIGUSR1])  # which never comes
