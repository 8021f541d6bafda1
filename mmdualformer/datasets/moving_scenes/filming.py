"""Films of an object that travels a path before a background, with the motion that there is in them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .painting import Image, Sprite, fill, paint_background, paint_sprite
from .paths import draw_path, travel

MOTIONS = 6  # numbers of a frame: x and y of the object; x, y, turn and zoom of the camera
OBJECT = 2  # those of the object, which come first
BACKGROUND = 2.5  # side of a background over that of the frame
CAMERAS = ('still', 'hand', 'pan', 'free')
SIDES = ((0.0, 1.25), (-0.25, 0.0), (1.25, 0.0), (0.0, -0.25))  # where an arm comes from: below, left, right, above


@dataclass(frozen=True)
class Arm:
    """What leads from an object to beyond the frame.

    Attributes:
        start (np.ndarray): Where it comes from in each frame, ``[frames, 2]``, pixels.
        width (float): In pixels, at the object; it is twice as wide at its start.
    """

    start: NDArray[np.float64]
    width: float


@dataclass(frozen=True)
class Bystander:
    """An object whose motion counts for nothing.

    Attributes:
        sprite (Sprite): How it looks.
        places (np.ndarray): Where it is in each frame, ``[frames, 2]``, pixels.
        in_front (bool): Whether it hides the object, or the object it.
    """

    sprite: Sprite
    places: NDArray[np.float64]
    in_front: bool


def film_scene(seed: int, frames: int = 16, size: int = 64) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Film the scene of a seed.

    One object travels a path. An arm may lead to it, and others may be there. The camera is still, held by a hand,
    pans, or turns and zooms too. The light may change.

    Args:
        seed (int): Draws everything.
        frames (int): Frames of the clip. Defaults to 16.
        size (int): Height and width. Defaults to 64.

    Returns:
        tuple: RGB frames ``[frames, size, size, 3]``, uint8; and the motion ``[frames, MOTIONS]``, float32: the place
        of the object, -0.5 to 0.5 from the left and upper border to the others; where the camera looks, in widths of a
        frame from the middle of its way; its turn in radians, and twice the logarithm of the width it sees.
    """
    rng = np.random.default_rng(seed)
    camera = _move_camera(rng, frames)
    places = _place_path(rng, frames, size)
    sprite = paint_sprite(rng, int(rng.uniform(0.16, 0.5) * size))
    arm = _draw_arm(rng, places, size, len(sprite.mask)) if rng.random() < 0.55 else None
    others = [_draw_bystander(rng, frames, size) for _ in range(rng.choice(3, p=(0.6, 0.25, 0.15)))]
    turns = rng.uniform(0, 2 * np.pi) + np.linspace(-0.5, 0.5, frames) * rng.uniform(-1, 1) * rng.integers(2)
    scales = 1 + np.linspace(-0.5, 0.5, frames) * rng.uniform(-0.3, 0.3)
    shadow = rng.random() < 0.3

    film = _film_background(rng, camera, size)
    for i, image in enumerate(film):
        for other in others:
            if not other.in_front:
                _paste(image, other.sprite, other.places[i])
        if shadow:
            _darken(image, sprite, places[i] + size / 16, turns[i], 1.1 * scales[i])
        if arm:
            _draw_limb(image, places[i], arm.start[i], arm.width, 0.95 * sprite.colour)
        _paste(image, sprite, places[i], turns[i], scales[i])
        for other in others:
            if other.in_front:
                _paste(image, other.sprite, other.places[i])
    motion = np.concatenate([places / size - 0.5, camera * (1, 1, 1, 2)], axis=1)
    return _expose(rng, film), motion.astype(np.float32)


def _move_camera(rng: np.random.Generator, frames: int) -> NDArray[np.float64]:
    """Draw how the camera moves: x and y in widths of a frame, radians, logarithm of the width that it sees."""
    kind = CAMERAS[rng.choice(4, p=(0.35, 0.35, 0.15, 0.15))]
    time = np.linspace(-0.5, 0.5, frames)[:, None]
    camera = np.zeros((frames, 4))
    if kind != 'still':
        shake = np.cumsum(rng.normal(0, 1, (frames, 2)), axis=0)
        camera[:, :2] += (shake - shake.mean(axis=0)) * rng.uniform(0.0015, 0.0125) * np.sqrt(16 / frames)
    if kind in ('pan', 'free'):
        camera[:, :2] += time * rng.uniform(-0.45, 0.45, 2)
    if kind == 'free':
        camera[:, 2:] += time * rng.uniform((-0.8, -0.4), (0.8, 0.4))
    return camera


def _place_path(rng: np.random.Generator, frames: int, size: int) -> NDArray[np.float64]:
    """Draw a path into a frame, which it mostly stays in: pixels ``[frames, 2]``."""
    places = travel(rng, draw_path(rng), frames) * rng.uniform(0.3, 0.75) * size
    room = np.maximum(size - np.ptp(places, axis=0), size / 16)
    tremble = np.cumsum(rng.normal(0, size / 500, (frames, 2)), axis=0)
    return size / 2 + rng.uniform(-0.4, 0.4, 2) * room + places + tremble


def _draw_arm(rng: np.random.Generator, places: NDArray[np.float64], size: int, sprite_size: int) -> Arm:
    side = SIDES[rng.choice(4, p=(0.6, 0.17, 0.17, 0.06))]
    start = np.array([place or rng.uniform(0.1, 0.9) for place in side]) * size
    follows = rng.uniform(0, 0.7)
    return Arm(start + follows * (places - places.mean(axis=0)), rng.uniform(0.18, 0.55) * sprite_size)


def _draw_bystander(rng: np.random.Generator, frames: int, size: int) -> Bystander:
    sprite = paint_sprite(rng, int(rng.uniform(0.08, 0.3) * size))
    way = rng.uniform(-0.37, 0.37, 2) * size * rng.integers(2)
    places = rng.uniform(0, size, 2) + np.linspace(-0.5, 0.5, frames)[:, None] * way
    return Bystander(sprite, places, rng.random() < 0.5)


def _film_background(rng: np.random.Generator, camera: NDArray[np.float64], size: int) -> list[Image]:
    background = paint_background(rng, int(BACKGROUND * size))
    width, tilt = rng.uniform(0.55, 1.5), rng.normal(0, 0.15)
    centre = len(background) / 2 + rng.uniform(-0.4, 0.4, 2) * size
    film: list[Image] = []
    for x, y, turn, zoom in camera:
        matrix = _transform(tilt + turn, width * np.exp(zoom), size, centre + np.array([x, y]) * width * size)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        frame = cv2.warpAffine(background, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT)
        film.append(frame.astype(np.float32, copy=False))
    return film


def _expose(rng: np.random.Generator, film: list[Image]) -> NDArray[np.uint8]:
    """Light a film, tint it or take its colours, make it a negative in one case of ten, blur it, and add noise."""
    frames = np.stack(film)
    if rng.random() < 0.3:
        frames[:] = frames.mean(axis=3, keepdims=True)
    if rng.random() < 0.1:
        frames = 255 - frames
    tint = np.exp(rng.normal(0, 0.2, 3)).astype(np.float32)
    change = rng.normal(0, 0.25) * (rng.random() < 0.4)
    gains = np.exp(rng.normal(0, 0.25) + change * np.linspace(-0.5, 0.5, len(film)))
    frames *= gains[:, None, None, None].astype(np.float32) * tint
    frames += np.float32(rng.normal(0, 12))
    if rng.random() < 1 / 3:
        frames = np.stack([cv2.GaussianBlur(frame, (0, 0), 0.6) for frame in frames])
    if rng.random() < 0.5:
        frames += rng.uniform(1, 9) * rng.standard_normal(frames.shape, np.float32)
    return frames.clip(0, 255).astype(np.uint8)


def _transform(angle: float, scale: float, size: int, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the matrix ``[2, 3]`` that turns and scales a square of ``size`` and moves its middle to ``centre``."""
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([rotation, centre - rotation.sum(axis=1) * size / 2])


def _paste(image: Image, sprite: Sprite, place: NDArray[np.float64], angle: float = 0.0, scale: float = 1.0) -> None:
    matrix = _transform(angle, scale, len(sprite.mask), place)
    mask = cv2.warpAffine(sprite.mask, matrix, image.shape[1::-1])[..., None]
    # beyond its border the object has its own colours, so that a soft edge is not dark
    content = cv2.warpAffine(sprite.image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
    image += mask * (content - image)


def _darken(image: Image, sprite: Sprite, place: NDArray[np.float64], angle: float, scale: float) -> None:
    matrix = _transform(angle, scale, len(sprite.mask), place)
    image *= 1 - 0.4 * cv2.warpAffine(sprite.mask, matrix, image.shape[1::-1])[..., None]


def _draw_limb(
    image: Image, end: NDArray[np.float64], start: NDArray[np.float64], width: float, colour: NDArray[np.float64]
) -> None:
    way = start - end
    across = width / 2 * np.array([-way[1], way[0]]) / max(float(np.linalg.norm(way)), 1e-6)
    fill(image, np.stack([end + across, end - across, start - 2 * across, start + 2 * across]), colour.tolist())
