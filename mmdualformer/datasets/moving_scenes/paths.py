"""Paths that an object travels, and how its speed changes on the way."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

POINTS = 64  # of a path
EIGHTHS = np.pi / 4  # radians


def draw_path(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a path: a line, corners, a curve, a round, a zigzag, a spiral or a swing.

    Returns:
        np.ndarray: ``POINTS`` points ``[POINTS, 2]`` as x and y, y downwards, about the origin. The longer side of the
        box around them is 0.75 to 1.3.
    """
    kinds = (_line, _corners, _curve, _round, _zigzag, _spiral, _swing)
    kind = kinds[rng.choice(len(kinds), p=(0.2, 0.25, 0.15, 0.23, 0.07, 0.05, 0.05))]
    path = kind(rng, np.linspace(0, 1, POINTS))
    path = path - (path.max(axis=0) + path.min(axis=0)) / 2
    path = path / np.ptp(path, axis=0).max()
    return path if kind is _line else path * rng.uniform(0.75, 1.3, 2)


def travel(rng: np.random.Generator, path: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """Travel a path, perhaps after a rest and before another, at a speed that changes.

    Returns:
        np.ndarray: Where the object is in each frame, ``[frames, 2]``.
    """
    begin, end = (rng.choice((0, rng.uniform(0, 0.25))) for _ in range(2))
    done = np.clip((np.linspace(0, 1, frames) - begin) / (1 - end - begin), 0, 1)
    done = done + rng.uniform(-0.15, 0.15) * np.sin(2 * np.pi * done) / np.pi
    done = done + rng.uniform(-0.08, 0.08) * np.sin(4 * np.pi * done) / np.pi
    steps = np.clip(done, 0, 1) * (len(path) - 1)
    return np.stack([np.interp(steps, np.arange(len(path)), axis) for axis in path.T], axis=1)


def rotate(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Turn points ``[N, 2]`` clockwise, as y is downwards, by an angle in radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


def _line(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.5 else rng.integers(8) * EIGHTHS
    return rotate(np.stack([time, 0 * time], axis=1), angle)


def _corners(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    places, corners = _draw_corners(rng)
    return np.stack([np.interp(time, places, axis) for axis in corners.T], axis=1)


def _curve(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    return CubicSpline(*_draw_corners(rng))(time)


def _round(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    share = rng.uniform(0.8, 1.6) if rng.random() < 0.65 else rng.uniform(0.3, 0.7)
    angle = rng.uniform(0, 2 * np.pi) + rng.choice((-1, 1)) * share * 2 * np.pi * time
    ellipse = np.stack([np.cos(angle), rng.uniform(0.5, 1) * np.sin(angle)], axis=1)
    return rotate(ellipse, rng.uniform(-0.4, 0.4))


def _zigzag(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    height = np.abs((time * rng.integers(2, 5) + rng.random()) % 1 * 2 - 1) * rng.uniform(0.4, 1)
    return rotate(np.stack([time * rng.uniform(0.6, 1.5), height], axis=1), rng.uniform(0, 2 * np.pi))


def _spiral(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    angle = rng.uniform(0, 2 * np.pi) + rng.choice((-1, 1)) * rng.uniform(1.2, 2.2) * 2 * np.pi * time
    radius = 0.2 + 0.8 * time
    if rng.random() < 0.5:
        radius = radius[::-1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _swing(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    swing = np.sin(2 * np.pi * (rng.uniform(0.8, 2) * time + rng.random()))
    return rotate(np.stack([swing, 0 * swing], axis=1), rng.uniform(0, np.pi))


def _draw_corners(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw three to six corners, sometimes back at the first, and their places on the way, 0 to 1."""
    corners = [np.zeros(2)]
    angle = rng.uniform(0, 2 * np.pi)
    for _ in range(rng.integers(2, 6)):
        corners.append(corners[-1] + rng.uniform(0.4, 1) * np.array([np.cos(angle), np.sin(angle)]))
        angle += rng.choice((-1, 1)) * rng.uniform(0.5, 2.8)
    if rng.random() < 0.35:
        corners[-1] = corners[0] + rng.normal(0, 0.08, 2)
    lengths = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    places = np.concatenate([[0], np.cumsum(lengths)]) / lengths.sum()
    return places, np.array(corners)
