"""What a scene is painted with: backgrounds, and objects that stand before them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]  # [H, W, 3], RGB, 0 to 255
Mask = NDArray[np.float32]  # [H, W], 0 to 1


@dataclass(frozen=True)
class Sprite:
    """An object.

    Attributes:
        image (np.ndarray): ``[S, S, 3]``; the object turns about its centre.
        mask (np.ndarray): Where the object is, ``[S, S]``.
        colour (np.ndarray): Its main colour, ``[3]``.
    """

    image: Image
    mask: Mask
    colour: NDArray[np.float64]


def paint_background(rng: np.random.Generator, size: int) -> Image:
    """Paint a square: noise of three scales, stripes, boxes and polygons, or only some of them, rather grey."""
    image: Image = np.full((size, size, 3), rng.uniform(20, 235, 3), np.float32)
    for cells in (3, 8, 20):
        if rng.random() < 0.7:
            image += rng.uniform(5, 60) * _noise(rng, cells, size, channels=1 if rng.random() < 0.6 else 3)
    if rng.random() < 0.3:
        image += _stripes(rng, size)[..., None] * rng.uniform(-60, 60, 3).astype(np.float32)
    for _ in range(rng.integers(0, 14)):
        colour = rng.uniform(0, 255, 3).tolist()
        corner = rng.uniform(0, size, 2)
        if rng.random() < 0.5:
            opposite = corner + rng.uniform(0.05, 0.5, 2) * size
            cv2.rectangle(image, corner.astype(int).tolist(), opposite.astype(int).tolist(), colour, -1)
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8)))
            fill(image, corner + _star(rng, angles, rng.uniform(0.03, 0.2) * size), colour)
    grey = image.mean(axis=2, keepdims=True)
    image = grey + (image - grey) * rng.uniform(0, 0.9)
    return np.clip(image, 0, 255, dtype=np.float32)


def paint_sprite(rng: np.random.Generator, size: int) -> Sprite:
    """Paint an object of one to three overlapping polygons, of a colour of skin in two cases of five."""
    mask: Mask = np.zeros((size, size), np.float32)
    for _ in range(rng.integers(1, 4)):
        angles = np.linspace(0, 2 * np.pi, rng.integers(5, 10), endpoint=False) + rng.uniform(0, 2 * np.pi)
        polygon = _star(rng, angles, rng.uniform(0.15, 0.42) * size) * (rng.uniform(0.5, 1), 1)
        fill(mask, size / 2 + rng.normal(0, 0.07 * size, 2) + polygon, 1.0)
    colour = rng.uniform(10, 245, 3)
    if rng.random() < 0.4:
        colour = np.array([235, rng.uniform(150, 200), rng.uniform(110, 170)]) * rng.uniform(0.25, 1)
    image = colour.astype(np.float32) + rng.uniform(5, 45) * _noise(rng, 5, size, channels=1)
    return Sprite(np.clip(image, 0, 255, dtype=np.float32), mask, colour)


def fill(image: NDArray[np.float32], polygon: NDArray[np.float64], colour: float | list[float]) -> None:
    """Fill a polygon ``[N, 2]`` of pixels, with smooth borders, in the image."""
    cv2.fillPoly(image, [np.round(16 * polygon).astype(np.int32)], colour, cv2.LINE_AA, 4)


def _noise(rng: np.random.Generator, cells: int, size: int, channels: int) -> Image:
    """Draw smooth noise of -1 to 1, ``[size, size, 3]``."""
    coarse = rng.uniform(-1, 1, (cells, cells, channels)).astype(np.float32)
    noise = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).reshape(size, size, channels)
    return np.broadcast_to(noise.astype(np.float32, copy=False), (size, size, 3))


def _stripes(rng: np.random.Generator, size: int) -> Mask:
    """Draw stripes of -1 to 1 in any direction, with soft or hard borders."""
    angle, period = rng.uniform(0, np.pi), rng.uniform(5, 30)
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period + rng.uniform(0, 2 * np.pi))
    return (np.sign(wave) if rng.random() < 0.5 else wave).astype(np.float32)


def _star(rng: np.random.Generator, angles: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Draw corners about the origin at angles in radians, each at half the radius or farther."""
    radii = radius * rng.uniform(0.5, 1, len(angles))
    return radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
