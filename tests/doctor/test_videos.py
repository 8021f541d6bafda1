import numpy as np
import pytest

from mmdualformer.doctor import videos
from mmdualformer.doctor.running import FAULT, OK
from tests.helpers import leave_real_time


@pytest.fixture(autouse=True)
def leave_real_time_again():
    yield
    leave_real_time()


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        (lambda frames: frames, ''),
        (lambda frames: [np.roll(frames, -1, 0)[i] for i in range(len(frames))], 'frame 17'),  # others than asked for
        (lambda frames: [frame[..., ::-1] for frame in frames], 'has the colour'),
        (lambda frames: [frame[:, ::-1] for frame in frames], 'has the colour'),
    ],
)
def test_frames_that_are_not_those_that_went_in(change, text):
    (result,) = videos._check('reader', lambda path: change(videos._read_ours(path)), ('H.264',), 'mend')
    assert result.status == (FAULT if text else OK) and text in result.text
    assert not text or (result.text.startswith('H.264: ') and result.mend == 'mend')


def test_formats_that_a_decoder_need_not_read_are_named():

    def read(path):
        if path.suffix == '.webm':
            raise ValueError('no')
        return videos._read_ours(path)

    (result,) = videos._check('reader', read, ('H.264',), 'mend')
    assert result.status == OK and 'not of VP9' in result.text
    (result,) = videos._check('reader', read, videos.ALL, 'mend')
    assert (result.status, result.text) == (FAULT, 'VP9: no')
