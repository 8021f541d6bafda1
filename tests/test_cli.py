import errno
import os

import pytest

from mmdualformer import cli
from tests.helpers import assert_one_line


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_what_cannot_be_written_is_one_line(number, capsys):
    def main() -> None:
        raise OSError(number, os.strerror(number), 'work_dirs/epoch_1.pth')

    with pytest.raises(SystemExit, match='1'):
        cli.run(main)
    assert capsys.readouterr().err == f"error: {os.strerror(number)}: 'work_dirs/epoch_1.pth'\n"


def test_other_errors_of_the_system_are_not():
    def main() -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    with pytest.raises(OSError, match='Bad file descriptor'):
        cli.run(main)


def test_a_folder_below_a_file(fork_tool, tmp_path):
    (tmp_path / 'file').write_text('')
    assert_one_line(
        fork_tool('tools/data/make_motion_clips.py', '--out', 'file/motion', '--train', 8, '--val', 8),
        'Not a directory',
        'file/motion',
    )
