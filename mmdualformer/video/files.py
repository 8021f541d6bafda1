"""placeholder until the branch `lists` is merged"""
import os
import stat

from .errors import VideoError


def check_regular(path):
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise VideoError(f'video {str(path)!r} cannot be read: {error.strerror}', error.strerror) from None
    if not stat.S_ISREG(mode):
        raise VideoError(f'video {str(path)!r} cannot be read: it is no regular file', 'it is no regular file')
