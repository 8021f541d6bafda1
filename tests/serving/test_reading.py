"""The process that reads uploads, and what they may do to it."""

import ctypes
import faulthandler
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmdualformer.recognition.reading import ClipReader
from mmdualformer.serving import reading
from mmdualformer.serving.limits import Limits, Refused
from mmdualformer.serving.reading import Upload, UploadReader


class Misbehaving(ClipReader):
    """What decoders do, where the steps of the pipeline say so."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def read(self, video, fps=30.0):
        """Misbehave."""
        faulthandler.disable()  # pytest's report
        if self.kind == 'crash':
            ctypes.string_at(0)
        elif self.kind == 'memory':
            np.ones((5 << 30,), np.uint8)
        elif self.kind == 'hang':
            time.sleep(1000)
        elif self.kind == 'write':
            Path(video.replace('.mp4', '.copy')).write_bytes(b'x')


@pytest.fixture(autouse=True)
def forked(monkeypatch):
    """Fork the processes, as that is fast."""
    monkeypatch.setattr(reading, 'START_METHOD', 'fork')


def refuse(kind: str, clip_file: str) -> Refused:
    reader = UploadReader(Misbehaving(kind))
    try:
        with pytest.raises(Refused) as caught:
            list(reader.read(Upload(clip_file, Limits())))
    finally:
        reader.close()
    return caught.value


def test_a_crash_costs_one_upload(recognizer, clip_file, monkeypatch):
    refused = refuse('crash', clip_file)
    assert refused.status == 422 and 'SIGSEGV' in refused.reason
    reader = UploadReader(recognizer.reader)
    reader.start()
    reader.interrupt()  # as a crash between two steps
    (part,) = reader.read(Upload(clip_file, Limits()))
    process = reader._isolated._child.process
    next(reader.read(Upload(clip_file, Limits())))  # which is all, also where nobody asks for more
    assert reader._isolated._child.process is process and process.is_alive()
    reader.close()
    assert (part.sample['inputs'] == recognizer.read(clip_file)['inputs']).all()


def test_memory_is_limited(clip_file):
    refused = refuse('memory', clip_file)
    assert refused.status == 422 and '4 GiB of memory' in refused.reason


def test_what_hangs_ends(clip_file, monkeypatch):
    monkeypatch.setattr(reading, 'SILENCE_LIMIT', 0.5)
    assert refuse('hang', clip_file).status == 504


def test_it_writes_no_file_and_says_what_else_fails(clip_file):
    refused = refuse('write', clip_file)
    assert refused.status == 422 and 'no clip can be taken of the video: File too large' in refused.reason
    Path(clip_file.replace('.mp4', '.copy')).unlink()


def test_a_reading_that_is_given_up_ends_its_process(recognizer, clip_file):
    reader = UploadReader(recognizer.reader)
    parts = reader.read(Upload(clip_file, Limits(), windows=True))
    next(parts)
    process = reader._isolated._child.process
    parts.close()  # which would have the file open still
    assert not process.is_alive()
    assert len(list(reader.read(Upload(clip_file, Limits())))) == 1
    reader.close()


def test_huge_frames_are_refused():
    video = SimpleNamespace(duration=1.0, size=(16384, 8192))
    with pytest.raises(Refused, match='16384 x 8192 pixels'):
        reading._check(video, Limits())
    video.size = (8192, 4320)
    assert reading._check(video, Limits()) == pytest.approx(1)
