import shutil

import pytest


@pytest.fixture
def folder(motion_root, tmp_path):
    """Three classes of two, three and four clips, one of them in a deeper folder, and a file that is no video."""
    clips = iter(sorted(motion_root.glob('videos_train/*.mp4')))
    for name, count in (('jump', 2), ('long jump', 3), ('run', 4)):
        (tmp_path / 'mine' / name / 'more').mkdir(parents=True)
        for i in range(count):
            place = tmp_path / 'mine' / name / ('more' if i == 1 else '')
            shutil.copy(next(clips), place / f'{i} a.MP4')
    (tmp_path / 'mine' / 'jump' / 'notes.txt').write_text('mine')
    (tmp_path / 'mine' / '.hidden').mkdir()
    return tmp_path / 'mine'
