"""The exact reader against FFmpeg's decoding in sequence, on files of every kind: no frame may be another one."""

from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest

from mmdualformer.video import VideoError, open_video
from tests.video.kinds import DAMAGED, SOUND
from tests.video.make_files import make, read_number, untwist
from tests.video.oracle import Shown, show, show_damaged

av.logging.set_level(av.logging.PANIC)  # what decoders say of damage is no news


@pytest.fixture(scope='session')
def shown(tmp_path_factory):
    """Give the path of a kind's file and what FFmpeg shows of it; each file is made once."""
    folder = tmp_path_factory.mktemp('kinds')
    known = {}

    def get(name: str) -> tuple[Path, Shown]:
        if name not in known:
            kind = (SOUND | DAMAGED)[name]
            path = make(kind, folder / f'{len(known)}.{kind.suffix}')
            try:
                known[name] = path, (show if name in SOUND else show_damaged)(path)
            except (av.FFmpegError, ValueError):  # nothing is shown
                known[name] = path, Shown()
        return known[name]

    return get


def orders(total: int) -> dict[str, list[int]]:
    """Ways to ask for frames."""
    generator = np.random.default_rng(total)
    return {
        'in order': list(range(total)),
        'backwards': list(range(total))[::-1],
        'strided': list(range(total // 3, total, 3)),
        'strided widely': list(range(1 % total, total, 17)),
        'at random with repeats': generator.integers(0, total, 20).tolist(),
        'last, first, last': [total - 1, 0, total - 1],
        'a few': sorted(generator.integers(0, total, 3).tolist()),
    }


def differing(video, indices: list[int], expected: Shown) -> list[int]:
    """Those of the frames asked for that are others than expected."""
    images = video.get_frames(indices)
    assert len(images) == len(indices)
    return [index for index, image in zip(indices, images) if not np.array_equal(image, expected.images[index])]


def check_frames(path: Path, expected: Shown) -> None:
    """Ask for frames in every way, of a reader that is reused and of fresh ones."""
    total = len(expected.images)
    if not total:
        with pytest.raises(VideoError), open_video(path) as video:  # some are seen only when they are decoded
            video.get_frames([0])
        return
    singles = np.random.default_rng(1).permutation(total)
    wrong = {}
    with open_video(path) as video:
        assert len(video) == total
        assert all(image.dtype == np.uint8 and image.flags['C_CONTIGUOUS'] for image in video.get_frames([0]))
        wrong['singly'] = [index for number in singles for index in differing(video, [number], expected)]
        for order, indices in orders(total).items():
            wrong[order] = differing(video, indices, expected)
        in_turn = list(video.iterate_frames())
        assert len(in_turn) == total
        wrong['in turn'] = [i for i, image in enumerate(in_turn) if not np.array_equal(image, expected.images[i])]
    for order, indices in orders(total).items():
        with open_video(path) as video:
            wrong[f'{order}, opened again'] = differing(video, indices, expected)
    for index in singles[:6].tolist():
        with open_video(path) as video:
            wrong[f'{index} alone'] = differing(video, [index], expected)
    assert not any(wrong.values()), {order: indices for order, indices in wrong.items() if indices}


def check_times(path: Path, expected: Shown) -> None:
    """The times of a reader are those of FFmpeg, from the first frame on."""
    with open_video(path) as video:
        assert video.frame_times.shape == (len(expected.images),)
        assert video.frame_times[0] == 0
        assert (np.diff(video.frame_times) > 0).all()
        assert video.average_fps > 0
        if len(video) > 1:
            rate = (len(video) - 1) / video.frame_times[-1]
            assert video.average_fps == pytest.approx(rate, rel=0.05)
        if None not in expected.times and (np.diff(expected.times) > 0).all():
            np.testing.assert_allclose(video.frame_times, np.subtract(expected.times, expected.times[0]), atol=1e-6)


@pytest.mark.parametrize('name', SOUND)
def test_ffmpeg_shows_the_frames_that_were_written(name, shown):
    kind = SOUND[name]
    images = shown(name)[1].images
    assert images
    if kind.numbers is not None:
        assert [read_number(untwist(image, *kind.turn)) for image in images] == kind.numbers


@pytest.mark.parametrize('name', SOUND)
def test_frames(name, shown):
    check_frames(*shown(name))


@pytest.mark.parametrize('name', SOUND)
def test_times(name, shown):
    check_times(*shown(name))


@pytest.mark.parametrize('name', [name for name, kind in SOUND.items() if kind.whole])
def test_whole_files_are_not_called_damaged(name, shown):
    path, _ = shown(name)
    with open_video(path) as video:
        video.get_frames(range(len(video)))
        assert not video.damage


def check_damaged(path: Path, expected: Shown) -> None:
    """A damaged file gives FFmpeg's frames, or an error.

    Its packets tell how many frames there are, and the decoder may give fewer. So frames are compared by their numbers,
    by their times, when the one before a missing one is still shown, and by numbers less those that are missing.
    """
    total = len(expected.images)
    if not total:
        with pytest.raises(VideoError), open_video(path) as video:  # some are seen only when they are decoded
            video.get_frames([0])
        return
    wrong = {}
    with suppress(VideoError), open_video(path) as video:
        for given, _ in enumerate(video.iterate_frames(), 1):  # ends, with all frames that are told
            assert given <= len(video)
        assert given == len(video)
    asked = orders(total) | {f'{index} alone': [index] for index in range(0, total, 3)}
    for order, indices in asked.items():
        try:
            with open_video(path) as video:
                told = len(video)
                indices = [index for index in indices if index < told]
                times = video.frame_times[indices].tolist()
                images = video.get_frames(indices)
        except VideoError:
            continue
        wrong[order] = []
        for index, time, image in zip(indices, times, images):
            same = {expected.at(time), *range(index - max(told - total, 0), index + 1)} & set(range(total))
            if not any(k in expected.undetermined or np.array_equal(image, expected.images[k]) for k in same):
                wrong[order].append(index)
    assert not any(wrong.values()), {order: indices for order, indices in wrong.items() if indices}


@pytest.mark.parametrize('name', DAMAGED)
def test_damaged_files_give_no_other_frames(name, shown):
    check_damaged(*shown(name))


@pytest.mark.parametrize('name', [*DAMAGED, *(name for name, kind in SOUND.items() if not kind.whole)])
def test_damage_is_named_where_ffmpeg_sees_some(name, shown):
    path, expected = shown(name)
    if not expected.images or not expected.errors:
        pytest.skip('FFmpeg shows nothing, or sees no damage')
    try:
        with open_video(path) as video:
            video.get_frames(range(len(video)))
            assert video.damage
    except VideoError as error:
        assert error.reason
