import faulthandler
import multiprocessing
import os
import signal
import time

import pytest
import torch

from mmdualformer.recognition import Recognizer, bulk
from mmdualformer.recognition.bulk import Listing, list_videos, recognize_files
from mmdualformer.recognition.writing import Row
from tests.helpers import break_off, write_video


@pytest.fixture(scope='module')
def recognizer(checkpoints):
    return Recognizer(checkpoints['vmf'], device='cpu')


@pytest.fixture(scope='module')
def clips(motion_root):
    return [str(path) for path in sorted(motion_root.glob('videos_*/*.mp4'))]


def recognize(recognizer, videos, workers=2, batch_size=1, topk=2, **errors):
    return list(recognize_files(recognizer, Listing(list(videos), **errors), topk, workers, batch_size))


def test_videos_are_listed_in_order_and_an_input_without_one_is_an_error_of_its_own(motion_root, clips, tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'some.txt').write_text(f'{clips[3]}\nno.mp4\n')
    listing = list_videos(['a.mp4', str(tmp_path / 'empty'), str(tmp_path / 'some.txt'), f'{motion_root}/videos_val'])
    assert listing.videos[:4] == ['a.mp4', str(tmp_path / 'empty'), clips[3], 'no.mp4']
    assert len(listing.videos) == 12
    (place,) = listing.errors
    assert place == 1 and 'has no video' in listing.errors[1]
    assert listing.take([2, 1, 0]) == Listing([clips[3], listing.videos[1], 'a.mp4'], {1: listing.errors[1]})


def test_lists_and_patterns_name_no_streams(tmp_path, clips):
    """A pipe that nobody writes into would hang, and a list from others would have us connect to an address."""
    os.mkfifo(tmp_path / 'pipe.mp4')
    (tmp_path / 'list.txt').write_text(f'http://user:word@127.0.0.1:9/\n{clips[0]}\n-\n')
    listing = list_videos([str(tmp_path / '*.mp4'), str(tmp_path / 'list.txt'), str(tmp_path / 'pipe.mp4')])
    assert listing.videos[2] == clips[0] and list(listing.errors) == [0, 1, 3]
    assert all('is a stream, which' in reason and 'word' not in reason for reason in listing.errors.values())


@pytest.mark.parametrize(('workers', 'batch_size'), [(1, 1), (3, 1), (2, 4), (3, 100)])
def test_each_scores_as_it_does_alone_and_in_its_place(recognizer, clips, tmp_path, workers, batch_size):
    broken = tmp_path / 'broken.mp4'
    broken.write_text('no video')
    damaged = write_video(tmp_path / 'damaged.mp4')
    break_off(damaged)
    videos = [*clips[:4], str(broken), damaged, 'missing.mp4', *clips[4:7]]
    rows = recognize(recognizer, videos, workers, batch_size)
    assert [row.source for row in rows] == videos
    for row in rows:
        if row.error:
            continue
        alone = recognizer.recognize(row.source)
        assert row.names == alone.names[:2] and row.scores == pytest.approx(alone.scores[:2], abs=2e-6)
        assert row.seconds == pytest.approx(alone.end, abs=1e-3)
    assert [bool(row.error) for row in rows] == [place in (4, 6) for place in range(10)]
    assert rows[5].damage and not rows[4].damage
    assert 'missing.mp4' in rows[6].error and 'missing.mp4' not in rows[4].error


class Faulty(Recognizer):
    """Does to its process what a decoder may do."""

    def read(self, video, fps=30.0):
        if 'crash' in video:
            faulthandler.disable()  # pytest's, which prints where
            os.kill(os.getpid(), signal.SIGSEGV)
        if 'hang' in video:
            time.sleep(1000)
        if 'bug' in video:
            raise KeyError('imgs')
        return super().read(video, fps)


@pytest.fixture
def faulty(recognizer):
    return Faulty(recognizer.scorer.model)


def test_what_crashes_or_hangs_costs_its_own_row(faulty, clips, monkeypatch):
    monkeypatch.setattr(bulk, 'READING_LIMIT', 0.5)
    monkeypatch.setattr(bulk, 'PATIENCE', 0.5)
    videos = [clips[0], 'crash.mp4', 'hang.mp4', clips[1], 'bug.mp4', 'crash2.mp4', clips[2]]
    rows = recognize(faulty, videos)
    assert [row.source for row in rows] == videos
    assert [row.error for row in rows] == [
        '',
        'crashed: SIGSEGV',
        'no answer within 1 s',
        '',
        'KeyError: imgs',
        'crashed: SIGSEGV',
        '',
    ]


def test_an_input_known_to_name_no_video_is_not_opened(faulty, clips):
    rows = recognize(faulty, ['crash', clips[0]], errors={0: "folder 'crash' has no video"})
    assert [row.error for row in rows] == ["folder 'crash' has no video", '']


def test_a_batch_that_fails_is_scored_in_parts(recognizer, clips, monkeypatch):
    """So that one video with other numbers, or too large for the memory, does not take the others with it."""
    score_all, sizes = recognizer.score_all, []

    def score(samples, starts=None):
        sizes.append(len(samples))
        if clips[2] in [sample['video']['source'] for sample in samples]:
            raise torch.cuda.OutOfMemoryError('out of memory')
        return score_all(samples, starts)

    monkeypatch.setattr(recognizer, 'score_all', score)
    rows = recognize(recognizer, clips[:4], workers=1, batch_size=4)
    assert [row.error for row in rows] == ['', '', bulk.NO_MEMORY, '']
    assert sizes == [4, 2, 2, 1, 1]


def test_leaving_early_leaves_no_process(recognizer, clips):
    rows = recognize_files(recognizer, Listing(clips), 2, 2, 1)
    assert isinstance(next(rows), Row)
    rows.close()
    assert not multiprocessing.active_children()
