"""Near-duplicates: the same shot in another encoding, size, frame rate or cut, found by what its frames look like.

A fingerprint is half a second of small grey frames at the start, in the middle and at the end of a video. A copy that
lacks some frames at an end still shares frames with each of these places, in which every other frame of one is looked
for in the other. The middle must agree, and one of the ends, as a cut may take all of the other. The ends alone say
little: many recordings start and end with the same person at rest.

How far two frames may differ follows from how much the two videos move. A fixed camera shows the same room in every
recording, so that all frames are alike, and only what moves tells one recording from another.
"""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from PIL import Image

from mmdualformer.video import Video

Key = TypeVar('Key')

SIZE = 16  # pixels of a side of a small frame
FRAMES = 12  # of a place
SPAN = 0.5  # seconds of a place
BLUR = SIZE / 8  # pixels, as a deviation: what is larger is left out, as it is light rather than form

# Squared distances of frames, whose length is 1. Measured on 237 clips of hands in a few rooms and 711 copies of them.
MOST = 0.04  # between frames of copies, encoded as badly as may be
OF_MOTION = 0.15  # of the mean squared distance between a frame of a video and its mean frame
NOISE = 0.001  # of encoding, where nothing moves
COARSE = 0.5  # between mean frames, by which pairs are looked at closely
FLAT = 1.0  # grey levels by which a frame deviates: less is nothing to compare


def fingerprint(video: Video) -> np.ndarray:
    """Take small grey frames of a video, and decode what they need.

    Returns:
        np.ndarray: ``[3, FRAMES, SIZE, SIZE]``, uint8.
    """
    times = video.frame_times
    span = min(SPAN, times[-1])
    offsets = np.linspace(0, span, FRAMES)
    places = []
    for start in (0, (times[-1] - span) / 2, times[-1] - span):
        wanted = _nearest(times, start + offsets)
        numbers = np.unique(wanted)
        # a place at a time: frames of large videos take much memory
        small = {number: _shrink(frame) for number, frame in zip(numbers, video.get_frames(numbers))}
        places.append([small[number] for number in wanted])
    return np.array(places)


def find_near_duplicates(fingerprints: Mapping[Key, np.ndarray]) -> list[tuple[Key, Key]]:
    """Find the pairs of videos that are the same shot.

    Args:
        fingerprints (Mapping): What :func:`fingerprint` makes of each video.

    Returns:
        list: Pairs of keys, in their order.
    """
    keys = list(fingerprints)
    if len(keys) < 2:
        return []
    frames = np.stack([_normalize(fingerprints[key]) for key in keys])  # [N, 3, FRAMES, D]
    means = frames.mean(2)
    limits = np.minimum(MOST, OF_MOTION * np.array([_motion(video) for video in frames]) + NOISE)
    pairs = []
    for i in range(len(keys) - 1):
        # the middle first, and before it the mean frame of the middle: few pairs are left to look at closely
        far = ((means[i + 1 :, 1] - means[i, 1]) ** 2).sum(-1) > COARSE
        others = i + 1 + np.flatnonzero(~far)
        others = others[_distances(frames[i, 1], frames[others, 1]) <= np.minimum(limits[i], limits[others])]
        ends = np.minimum(*(_distances(frames[i, place], frames[others, place]) for place in (0, 2)))
        others = others[ends <= np.minimum(limits[i], limits[others])]
        pairs += [(keys[i], keys[j]) for j in others]
    return pairs


def _nearest(times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    after = np.searchsorted(times, wanted).clip(1, max(len(times) - 1, 1))
    if len(times) == 1:
        return np.zeros(len(wanted), int)
    return np.where(wanted - times[after - 1] <= times[after] - wanted, after - 1, after)


def _shrink(frame: np.ndarray) -> np.ndarray:
    # not by OpenCV: its threads hang in a process that was forked from one that had used them
    return np.asarray(Image.fromarray(frame).convert('L').resize((SIZE, SIZE), Image.Resampling.BOX))


def _normalize(small: np.ndarray) -> np.ndarray:
    """Turn small frames into vectors of length 1 of their form, and of length 0 where they have none."""
    frames = small.reshape(-1, SIZE, SIZE).astype(np.float32)
    blur = np.exp(-((np.arange(SIZE)[:, None] - np.arange(SIZE)) ** 2) / (2 * BLUR**2)).astype(np.float32)
    blur /= blur.sum(1, keepdims=True)
    form = frames - blur @ frames @ blur.T
    vectors = form.reshape(len(frames), -1)
    vectors -= vectors.mean(1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    has_form = lengths >= FLAT * SIZE
    return (np.where(has_form, vectors, 0) / np.where(has_form, lengths, 1)).reshape(*small.shape[:2], -1)


def _motion(frames: np.ndarray) -> float:
    """How far the frames of a video ``[3, FRAMES, D]`` are from their mean."""
    return float(((frames - frames.mean((0, 1))) ** 2).sum(-1).mean())


def _distances(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How far the frames of a place ``[FRAMES, D]`` are from those of others ``[N, FRAMES, D]``."""
    distances = 2 - 2 * others @ one.T  # [N, FRAMES, FRAMES]; a frame of length 0 is like no other
    halves = (np.sort(distances.min(axis), -1)[:, : FRAMES // 2].mean(-1) for axis in (1, 2))
    return np.minimum(*halves)
