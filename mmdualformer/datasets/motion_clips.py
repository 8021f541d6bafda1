"""A small data set that only motion solves, to try training on.

A clip is three shots of six frames, cut together in random order. In one the scene travels to the left or to the right,
in one up or down, and in one it turns clockwise or counter-clockwise: eight classes. Each shot shows a place of its
own, drawn at random, from a random position at a random speed. So any single frame, and the frames of a clip in any
other order, look the same in all eight classes.
"""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from mmdualformer.errors import UserError

SHOT_FRAMES = 6
CLASSES = tuple(
    '-'.join(moves) for moves in product(('left', 'right'), ('up', 'down'), ('counterclockwise', 'clockwise'))
)


def draw_clip(label: int, seed: int, size: int = 64) -> np.ndarray:
    """Draw the clip of a class and a seed.

    Args:
        label (int): Index into ``CLASSES``.
        seed (int): Draws everything but the class: places, positions, speeds and the order of the shots.
        size (int): Height and width. Defaults to 64.

    Returns:
        np.ndarray: RGB frames ``[18, size, size, 3]``, uint8.
    """
    rng = np.random.default_rng(seed)
    directions = [1 if label >> bit & 1 else -1 for bit in (2, 1, 0)]
    shots = [_draw_shot(rng, axis, directions[axis], size) for axis in rng.permutation(3)]
    return np.concatenate(shots)


def write_dataset(root: Path, num_train: int, num_val: int, workers: int = 2) -> None:
    """Write mp4 files, MMAction2 lists and the class names.

    Makes ``videos_train/*.mp4``, ``videos_val/*.mp4``, ``train.txt``, ``val.txt`` and ``label_map.txt`` under ``root``;
    the lists come last, so that they name only what is complete. Training and validation clips have different seeds.

    Args:
        root (Path): The folder.
        num_train (int): Training clips, the classes in turn.
        num_val (int): Validation clips, likewise.
        workers (int): Processes. Defaults to 2.
    """
    root = Path(root)
    seed = 0
    for split, count in (('train', num_train), ('val', num_val)):
        folder = root / f'videos_{split}'
        folder.mkdir(parents=True, exist_ok=True)
        names = [f'{i:05d}_{CLASSES[i % len(CLASSES)]}.mp4' for i in range(count)]
        with ProcessPoolExecutor(workers) as pool:
            written = pool.map(partial(_write_clip, folder), names, range(seed, seed + count), chunksize=16)
            for _ in track(written, description=f'writing {folder}', total=count):
                pass
        lines = [f'{name} {i % len(CLASSES)}\n' for i, name in enumerate(names)]
        (root / f'{split}.txt').write_text(''.join(lines), encoding='utf-8')
        seed += count
    (root / 'label_map.txt').write_text(''.join(f'{name}\n' for name in CLASSES), encoding='utf-8')


def write_video(path: Path, frames: np.ndarray, fps: int = 15) -> None:
    """Encode RGB frames ``[T, H, W, 3]``, uint8, as an MPEG-4 file.

    Raises:
        UserError: The file cannot be written.
    """
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), fps, (frames.shape[2], frames.shape[1]))
    if not writer.isOpened():
        raise UserError(f'{str(path)!r} cannot be written; its folder must be writable, on a disk that is not full')
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()


def _write_clip(folder: Path, name: str, seed: int) -> None:
    write_video(folder / name, draw_clip(int(name[:5]) % len(CLASSES), seed))


def _draw_shot(rng: np.random.Generator, axis: int, direction: int, size: int) -> np.ndarray:
    """Film a place while it travels along x (``axis`` 0) or y (1), or turns (2); positive is right, down, clockwise."""
    place = _draw_place(rng, 3 * size)
    zoom = rng.uniform(0.8, 1.25)
    position = rng.uniform(0, len(place), 2)
    angle = rng.uniform(0, 2 * np.pi)
    speed = direction * size * rng.uniform(0.045, 0.09)  # pixels a frame
    turn = direction * rng.uniform(0.12, 0.3)  # radians a frame
    centre = np.array([size / 2, size / 2])
    frames = []
    for step in range(SHOT_FRAMES):
        shift = np.zeros(2)
        if axis == 2:
            angle_now = angle - step * turn
        else:
            angle_now = angle
            shift[axis] = -step * speed  # the camera goes the other way than the scene
        rotation = zoom * np.array([[np.cos(angle_now), -np.sin(angle_now)], [np.sin(angle_now), np.cos(angle_now)]])
        # from a pixel of the frame to one of the place, which repeats itself beyond its borders
        origin = position + rotation @ (shift - centre)
        frames.append(
            cv2.warpAffine(
                place,
                np.column_stack([rotation, origin]),
                (size, size),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_WRAP,
            )
        )
    return np.stack(frames)


def _draw_place(rng: np.random.Generator, size: int) -> np.ndarray:
    """Paint a square that tiles the plane: coloured noise of two scales under random polygons."""
    place = np.full((size, size, 3), rng.uniform(90, 160, 3), np.float32)
    for cells, contrast in ((12, 66), (24, 55)):
        noise: np.ndarray = rng.uniform(-1, 1, (cells, cells, 3)).astype(np.float32)
        noise = np.pad(noise, ((2, 2), (2, 2), (0, 0)), mode='wrap')
        scale = size // cells
        noise = cv2.resize(noise, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        place += contrast * rng.uniform(0.3, 1) * noise[2 * scale : -2 * scale, 2 * scale : -2 * scale]
    place = place.clip(0, 255).astype(np.uint8)
    for _ in range(rng.integers(8, 20)):
        corners = rng.integers(3, 8)
        angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(0, 2 * np.pi)
        radii = size * rng.uniform(0.03, 0.09) * rng.uniform(0.6, 1, corners)
        polygon = rng.uniform(0, size, 2) + radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
        colour = rng.uniform(0, 255, 3).tolist()
        for tile in product((-size, 0, size), repeat=2):
            cv2.fillPoly(place, [np.round(16 * (polygon + tile)).astype(np.int32)], colour, cv2.LINE_AA, 4)
    return place
