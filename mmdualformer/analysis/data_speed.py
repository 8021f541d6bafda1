"""How fast clips come from disk to a batch, and whether a model would wait for them."""

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmdualformer.datasets.annotations import format_line

from .speed import median_times, take_turns

# what opens and decodes: data set and first steps
PIPELINES = {
    'MMAction2': ('VideoDataset', 'DecordInit', 'DecordDecode'),
    'mmdualformer': ('RobustVideoDataset', 'VideoInit', 'VideoDecode'),
}
# clips that the papers train on, and the ten of a test
SAMPLINGS = {
    '32x2': dict(clip_len=32, frame_interval=2, num_clips=1),
    '16x4': dict(clip_len=16, frame_interval=4, num_clips=1),
    '32x4': dict(clip_len=32, frame_interval=4, num_clips=1),
    '8x8': dict(clip_len=8, frame_interval=8, num_clips=1),
    '10 x 32x2': dict(clip_len=32, frame_interval=2, num_clips=10, test_mode=True),
}
STEPS = {name: place for steps in PIPELINES.values() for place, name in enumerate(steps)}


def use_pipeline(dataset: dict, name: str, sampling: dict | None = None) -> dict:
    """Return the config of a data set with MMAction2's decoding or with ours.

    Args:
        dataset (dict): The config of a ``VideoDataset`` or ``RobustVideoDataset``.
        name (str): In ``PIPELINES``.
        sampling (dict, optional): Arguments of ``SampleFrames`` in place of the data set's own sampling.
    """
    steps = PIPELINES[name]
    pipeline = [
        dict(type=steps[STEPS[step['type']]]) if step['type'] in STEPS else step for step in dataset['pipeline']
    ]
    if sampling:
        pipeline = [dict(type='SampleFrames', **sampling) if 'clip_len' in step else step for step in pipeline]
    return {**dataset, 'type': steps[0], 'pipeline': pipeline}


def build_loader(
    dataset: dict, videos: Sequence[Path], clips: int, batch_size: int, workers: int, ann_file: Path
) -> DataLoader:
    """Build a loader of training clips from some videos, whose random state is the same each time.

    Args:
        dataset (dict): The config of the data set, without the list.
        videos (sequence): The files.
        clips (int): Clips of an epoch; the videos come in turn.
        batch_size (int): Clips of a batch.
        workers (int): Processes.
        ann_file (Path): Where the list is written.
    """
    lines = [format_line(str(videos[i % len(videos)]), [0]) for i in range(clips)]
    ann_file.write_text('\n'.join(lines))
    dataset = {**dataset, 'ann_file': str(ann_file), 'data_prefix': dict(video=''), 'data_root': None}
    dataset.pop('max_unreadable', None)
    loader = dict(
        batch_size=batch_size,
        num_workers=workers,
        persistent_workers=workers > 0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=DATASETS.build(dataset),
    )
    return Runner.build_dataloader(loader, seed=0)


def time_cpu(datasets: dict[str, BaseDataset], clips: int) -> dict[str, float]:
    """Measure the CPU time of reading clips in this process, in turn, which what else the machine does hardly changes.

    Args:
        datasets (dict): The data sets.
        clips (int): Samples of each, after one more.

    Returns:
        dict: The median of each data set's CPU seconds a sample.
    """

    def measure(dataset: BaseDataset, index: int) -> float:
        np.random.seed(index)  # the same frames for all
        start = time.process_time()
        dataset[index % len(dataset)]
        return time.process_time() - start

    return take_turns({name: partial(measure, dataset) for name, dataset in datasets.items()}, clips)


def time_loaders(loaders: dict[str, DataLoader], rounds: int) -> dict[str, float]:
    """Time loaders in turn, so that what else the machine does touches all of them.

    Args:
        loaders (dict): The loaders.
        rounds (int): Epochs of each, after one that starts the processes.

    Returns:
        dict: The median of each loader's clips per second.
    """

    def measure(loader: DataLoader, _: int) -> float:
        start = time.perf_counter()
        clips = sum(len(batch['inputs']) for batch in loader)
        return clips / (time.perf_counter() - start)

    return take_turns({name: partial(measure, loader) for name, loader in loaders.items()}, rounds)


def time_training(cfg: Config, batch: dict, device: str, steps: int = 3) -> float:
    """Time training steps of a config's model.

    Args:
        cfg (Config): The config.
        batch (dict): What a data loader gives.
        device (str): Where to train.
        steps (int): Steps of which the median is taken, after one more. Defaults to 3.

    Returns:
        float: Clips per second.
    """
    model = MODELS.build(cfg.model).to(device).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)

    def step() -> None:
        model.train_step(batch, optim_wrapper)
        if device.startswith('cuda'):
            torch.cuda.synchronize()

    return 1e3 * len(batch['inputs']) / median_times({'step': step}, steps)['step']


def write_sample_videos(folder: Path, count: int, seconds: float = 10.0, workers: int = 2) -> list[Path]:
    """Write H.264 files like those of Kinetics: 340 x 256 pixels, 30 frames a second, x264's ordinary settings.

    Args:
        folder (Path): Where to.
        count (int): How many.
        seconds (float): How long each is. Defaults to 10.
        workers (int): Processes. Defaults to 2.

    Returns:
        list: The files.
    """
    paths = [folder / f'{i}.mp4' for i in range(count)]
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(partial(_write_sample, frames=round(30 * seconds)), paths, range(count)))
    return paths


def _write_sample(path: Path, seed: int, frames: int) -> None:
    """Film things that turn and move about before a background, with an unsteady camera whose sensor is noisy."""
    width, height = 340, 256
    rng = np.random.default_rng(seed)
    textures = [_draw_texture(rng) for _ in range(4)]
    phases, speeds = rng.uniform(0, 2 * np.pi, (4, 3)), rng.uniform(0.5, 2.5, (4, 3))
    axes = rng.integers(25, 70, (3, 2))
    shake = np.zeros(2)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=30, options={'preset': 'medium', 'crf': '23'})
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        stream.codec_context.thread_count = 1
        for index in range(frames):
            shake = 0.9 * shake + rng.normal(0, 0.4, 2)  # pixels
            moves = np.sin(phases + speeds * index / 30)  # x, y and turn of the camera and three things, -1 to 1
            _, y, turn = moves[0]
            image = _look_at(textures[0], 0.1 * turn, 1 + 0.1 * y, (60, 40) * moves[0, :2] + shake, width, height)
            for texture, axis, (x, y, turn) in zip(textures[1:], axes, moves[1:]):
                centre = np.array([width * (x + 1) / 2, height * (y + 1) / 2]) - shake
                thing = _look_at(texture, turn, 1, -centre, width, height)
                mask = np.zeros((height, width), np.uint8)
                cv2.ellipse(mask, (tuple(centre), tuple(map(float, 2 * axis)), float(np.degrees(turn))), 255, -1)
                image[mask > 0] = thing[mask > 0]
            image = (image + rng.normal(0, 2, image.shape)).clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        container.mux(stream.encode(None))


def _look_at(texture: np.ndarray, angle: float, zoom: float, shift: np.ndarray, width: int, height: int) -> np.ndarray:
    """Cut a turned and shifted window out of a texture, which repeats itself beyond its borders."""
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    window = np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])
    return cv2.warpAffine(
        texture, window, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_WRAP
    )


def _draw_texture(rng: np.random.Generator, size: int = 512) -> np.ndarray:
    """Draw coloured noise with the spectrum of natural images, whose amplitude falls as the frequency grows."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size))
    frequency[0, 0] = np.inf
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(3, size, size))) / frequency**1.2).real
    noise /= noise.std(axis=(1, 2), keepdims=True)
    grey = noise[0] + 0.3 * noise  # the channels go together
    return (rng.uniform(80, 150, 3) + 40 * grey.transpose(1, 2, 0)).clip(0, 255).astype(np.uint8)
