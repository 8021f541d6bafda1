import os
import shutil
import signal

import pytest

from mmdualformer.datasets.own_videos import cleaning, find_videos, leave_out_copies, leave_out_unreadable
from mmdualformer.errors import UserError
from tests.helpers import break_off, write_video


def test_videos_that_break_off_are_used_or_refused(folder):
    break_off(write_video(folder / 'run' / 'cut.mp4', g='1'))  # its first half can be read
    found = find_videos(folder)
    readable = leave_out_unreadable(found, workers=2)
    assert readable.found == found and not readable.unreadable
    assert list(readable.damaged) == [folder / 'run' / 'cut.mp4']
    assert list(readable.fingerprints) == [video.path for video in found.videos]
    readable = leave_out_unreadable(found, workers=2, damaged='refuse')
    assert len(readable.found.videos) == len(found.videos) - 1 and not readable.damaged
    assert readable.unreadable[folder / 'run' / 'cut.mp4'].startswith('damaged: ')


def test_videos_that_crash_a_decoder_or_never_end_are_left_out(folder, monkeypatch):
    crashing, hanging = folder / 'run' / '0 a.MP4', folder / 'run' / 'more' / '1 a.MP4'

    def read(path, read=cleaning._read):
        if path == crashing:
            os.kill(os.getpid(), signal.SIGKILL)
        if path == hanging:
            signal.sigwait([signal.SIGUSR1])
        return read(path)

    monkeypatch.setattr(cleaning, 'READING_LIMIT', 5.0)
    monkeypatch.setattr(cleaning, '_read', read)
    found = find_videos(folder)
    readable = leave_out_unreadable(found, workers=2)
    assert readable.found.videos == [video for video in found.videos if video.path not in (crashing, hanging)]
    assert readable.unreadable == {
        crashing: 'killed: SIGKILL, mostly for want of memory',
        hanging: 'no answer within 5 s',
    }


def test_unreadable_videos_are_left_out_until_a_class_has_none(folder):
    (folder / 'jump' / '0 a.MP4').write_text('no video')
    readable = leave_out_unreadable(find_videos(folder), workers=2)
    assert len(readable.found.videos) == 8
    assert readable.unreadable == {folder / 'jump' / '0 a.MP4': 'Invalid data found when processing input'}
    (folder / 'jump' / 'more' / '1 a.MP4').write_bytes(b'')
    with pytest.raises(UserError, match=r"class 'jump' has no video that can be read, for one .*0 a\.MP4: Invalid"):
        leave_out_unreadable(find_videos(folder), workers=2)


def test_copies(folder):
    shutil.copy(folder / 'run' / '0 a.MP4', folder / 'run' / 'again.mp4')
    shutil.copy(folder / 'run' / '0 a.MP4', folder / 'jump' / 'wrong.mp4')
    found = find_videos(folder)
    kept, copies, shared = leave_out_copies(found)
    assert len(found.videos) == 11 and len(kept.videos) == 10
    assert copies == {folder / 'run' / 'again.mp4': folder / 'run' / '0 a.MP4'}
    assert len(shared) == 1 and 'wrong.mp4 (jump)' in shared[0] and '0 a.MP4 (run)' in shared[0]


def test_of_a_copy_in_training_and_in_testing_the_latter_stays(folder):
    for name in ('train', 'val'):
        shutil.copytree(folder, folder.parent / 'split' / name)
    found = find_videos(folder.parent / 'split')
    kept, copies, shared = leave_out_copies(found)
    assert {video.split for video in kept.videos} == {'val'} and len(copies) == 9 and not shared
