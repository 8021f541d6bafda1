"""A model in one form, ready to run on one clip or batch."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.export import ENDINGS, check_choice, export_model, find_format, load_exported
from mmdualformer.models.precision import DTYPES, choose_dtype, compute_in

from .sources import Source, as_logits, shape_of

FORMS = ('eager', 'compile', 'onnx', 'openvino')
EXPORTED = ('onnx', 'openvino')


@dataclass(frozen=True)
class Entry:
    """A model in a form.

    Attributes:
        source (Source): The model.
        form (str): One of ``FORMS``, or ``'file'`` for what is measured as it is.
        dtype (str): What it computes in.
        device (str): What it runs on.
        batch (int): Clips at a time.
        shape (tuple, optional): Frames, height and width. Defaults to None, those of the model's test.
        train (bool): Whether a training step is measured. Defaults to False.
    """

    source: Source
    form: str
    dtype: str
    device: str
    batch: int
    shape: tuple[int, int, int] | None = None
    train: bool = False

    @property
    def title(self) -> str:
        """What it is called in messages."""
        size = '' if self.shape is None else f' {"x".join(map(str, self.shape))}'
        return f'{self.source.name} {self.form} {self.dtype} batch {self.batch}{size}'

    def file_in(self, folder: Path, number: int) -> Path:
        """Where the model file of this entry is to be."""
        return folder / f'{number}{ENDINGS[self.form][0]}' if self.form in EXPORTED else Path(self.source.path)


@dataclass
class Runnable:
    """A form that is loaded.

    Attributes:
        call (callable): Runs it once, and gives the logits.
        dtype (str): What it computes in, which may be another than was asked for.
        clip (tuple): Shape ``(N, 3, T, H, W)``.
        form (str): The form, of a file its format.
        model (nn.Module, optional): What it is of, where that is known. Defaults to None.
    """

    call: Callable[[], Tensor]
    dtype: str
    clip: tuple[int, ...]
    form: str
    model: nn.Module | None = None


@dataclass
class Result:
    """What was measured of an entry; times are of a batch.

    Attributes:
        entry (Entry): What was measured.
        form, dtype (str): Its form, of a file the format; and what it computed in.
        clip (tuple): Shape ``(N, 3, T, H, W)``.
        times, cpu_times (list): Milliseconds of each run, of the clock and of all threads of the process.
        memory (float, optional): Most memory that it took, MiB.
        macs (int, optional): Multiply-adds of the forward pass of the batch.
        rate (float): Multiply-adds of a matrix product in the same dtype and at the same time, a second; on a CPU a
            second of all threads together, which other programs do not disturb as much.
        difference (float, optional): How far its logits are from those of eager float32, at most.
        top1 (float, optional): Accuracy that a paper prints, %, and ``views`` of it.
        views (int): Views of a video for that accuracy.
    """

    entry: Entry
    form: str
    dtype: str
    clip: tuple[int, ...]
    times: list[float] = field(default_factory=list)
    cpu_times: list[float] = field(default_factory=list)
    memory: float | None = None
    macs: int | None = None
    rate: float = 0.0
    difference: float | None = None
    top1: float | None = None
    views: int = 1

    @property
    def clock(self) -> int:
        """Which of its two times is compared with the rate: that of the clock, 0, or of the threads, 1."""
        return int(torch.device(self.entry.device).type == 'cpu')


def example_clip(shape: tuple[int, ...], device: str = 'cpu') -> Tensor:
    """The clips that all forms of a model get, normalised: the same each time."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(shape, generator=generator).to(device)


def write_file(entry: Entry, path: Path) -> None:
    """Export the model of an entry.

    Raises:
        UserError: It cannot be exported so, or a package is missing.
    """
    check_choice(entry.form, entry.dtype)
    recognizer = entry.source.build()
    frames, height, width = entry.shape or shape_of(recognizer)
    with tempfile.TemporaryDirectory() as folder:  # the file is in its place when it is complete
        target = Path(folder, path.name)
        shape = (1, 3, frames, height, width)
        export_model(recognizer, target, entry.form, shape, dtype=entry.dtype, threads=1)
        for written in sorted(Path(folder).iterdir()):
            path.with_name(written.name).write_bytes(written.read_bytes())


def load(entry: Entry, path: Path, threads: int) -> Runnable:
    """Load a form, and make its clip.

    Args:
        entry (Entry): What to load.
        path (Path): Its model file, if it is one.
        threads (int): Threads of a model file's runtime.

    Raises:
        UserError: It cannot be loaded, or takes no such clip.
    """
    return _load_file(entry, path, threads) if entry.form in (*EXPORTED, 'file') else _load_model(entry)


def _load_file(entry: Entry, path: Path, threads: int) -> Runnable:
    exported = load_exported(path, threads)
    described = exported.description
    shape = (entry.batch, 3, *(entry.shape or described.clip_shape[2:]))
    for own, wanted in zip(described.fixed_shape, shape):
        if own not in (None, wanted):
            raise UserError(f'the file takes clips {described.fixed_shape}, not {shape}; None is any length')
    pixels = described.preprocessing
    clip = (example_clip(shape) * 64 + 128).clamp(0, 255).to(torch.uint8) if pixels else example_clip(shape)
    form = find_format(path) or entry.form
    return Runnable(lambda: exported.run(clip)[0].float(), described.dtype, shape, form)


def _load_model(entry: Entry) -> Runnable:
    recognizer = entry.source.build()
    shape = (entry.batch, 3, *(entry.shape or shape_of(recognizer)))
    device = torch.device(entry.device)
    model = as_logits(recognizer.to(device))
    dtype = choose_dtype(model, DTYPES[entry.dtype], device.type)
    clip = example_clip(shape, entry.device)
    run = torch.compile(model, dynamic=False) if entry.form == 'compile' else model
    if entry.train:
        call = _training_step(model, run, clip, dtype)
    else:

        def call() -> Tensor:
            with torch.inference_mode(), compute_in(dtype, device.type):
                return run(clip).float()

    return Runnable(call, str(dtype).removeprefix('torch.'), shape, entry.form, model)


def _training_step(model: nn.Module, run: Callable, clip: Tensor, dtype: torch.dtype) -> Callable[[], Tensor]:
    """A step of SGD with momentum, whose rate is so small that the model stays what it is."""
    model.train()
    labels = torch.zeros(len(clip), dtype=torch.long, device=clip.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-12, momentum=0.9)
    scaler = torch.amp.GradScaler(clip.device.type, enabled=dtype == torch.float16)

    def call() -> Tensor:
        with compute_in(dtype, clip.device.type):
            logits = run(clip)
        scaler.scale(F.cross_entropy(logits.float(), labels)).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        return logits.detach().float()

    return call
