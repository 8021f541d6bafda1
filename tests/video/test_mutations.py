"""Files that are damaged at random give frames or a VideoError, and nothing else."""

import random

import numpy as np
import pytest

from mmdualformer.video import VideoError, open_video
from tests.helpers import write_video


def mutate(content: bytearray, generator: random.Random) -> None:
    """Change, lose, repeat or cut off a part."""
    place, size = generator.randrange(len(content)), generator.choice((1, 20, 188, 2000))
    match generator.randrange(5):
        case 0:
            for _ in range(size):
                content[generator.randrange(len(content))] = generator.randrange(256)
        case 1:
            content[place : place + size] = bytes(len(content[place : place + size]))
        case 2:
            del content[place : place + size]
        case 3:
            content[place:place] = content[place : place + size]
        case 4:
            del content[place:]


@pytest.mark.parametrize(
    ('suffix', 'codec'),
    [
        ('mp4', 'libx264'),
        ('mkv', 'libx265'),
        ('avi', 'mpeg4'),
        ('ts', 'mpeg2video'),
        ('webm', 'libvpx-vp9'),
        ('wmv', 'wmv2'),
        ('flv', 'flv'),
    ],
)
def test_mutated_files(tmp_path, suffix, codec):
    whole = open(write_video(tmp_path / f'whole.{suffix}', codec, g='6'), 'rb').read()
    path, read = tmp_path / f'a.{suffix}', 0
    for seed in range(40):
        content = bytearray(whole)
        mutate(content, random.Random(seed))
        path.write_bytes(content)
        try:
            with open_video(str(path), time_limit=60) as video:
                last = len(video) - 1
                images = video.get_frames([last, 0, last // 2])
                assert len({image.shape for image in images}) == 1
                assert np.isfinite(video.frame_times).all() and len(video.frame_times) == last + 1
                read += 1
        except VideoError as error:
            assert error.reason and '\n' not in str(error)
    assert read > 5
