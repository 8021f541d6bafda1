import shutil

import pytest


@pytest.fixture
def folder(motion_root, tmp_path):
    """Two classes of four clips."""
    for i, clip in enumerate(sorted(motion_root.glob('videos_train/*.mp4'))[:8]):
        place = tmp_path / 'my videos' / ('swim' if i % 2 else 'jump')
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, place)
    return tmp_path / 'my videos'
