"""Takes the body of a request into a file without a name, within limits of size and time."""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator
from typing import IO

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Message, Receive

from mmdualformer.errors import printable

from .limits import MIB, UPLOAD_PATIENCE, UPLOAD_RATE, Refused

FIELD = 'video'
FORM_SIZE = 1 * MIB  # bytes of a form beside its file
LONGEST_NAME = 200
# Seconds that the rest of a refused upload is read for, so that its sender gets to read the answer; and without a byte.
LINGER, LINGER_SILENCE = 30.0, 5.0
RAW_TYPES = ('video/', 'image/gif', 'application/octet-stream', 'application/ogg')


class Disconnected(Exception):
    """Who sent the request is gone."""


class Body:
    """The body of a request.

    Args:
        receive (Receive): ASGI's.
        declared (int, optional): Bytes that the request says it has. Defaults to None.

    Attributes:
        is_complete (bool): Whether all of it has been read.
    """

    def __init__(self, receive: Receive, declared: int | None = None) -> None:
        self._receive = receive
        self._declared = declared
        self.is_complete = False

    async def chunks(self, most: int) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes.

        Args:
            most (int): Bytes that it may have.

        Raises:
            Refused: It has more, or comes too slowly.
            Disconnected: It breaks off.
        """
        if self._declared is not None and self._declared > most:
            raise _too_large(most)
        began, size = time.monotonic(), 0
        while not self.is_complete:
            limit = began + UPLOAD_PATIENCE + size / UPLOAD_RATE
            try:
                chunk = await asyncio.wait_for(self._next(), max(0.0, limit - time.monotonic()))
            except asyncio.TimeoutError:
                raise Refused(408, f'the upload is too slow: {size} bytes came in {limit - began:.0f} s') from None
            size += len(chunk)
            if size > most:
                raise _too_large(most)
            yield chunk

    async def discard(self) -> None:
        """Read and forget what is left, as far as that has any use."""
        end = time.monotonic() + LINGER
        try:
            while not self.is_complete and time.monotonic() < end:
                await asyncio.wait_for(self._next(), LINGER_SILENCE)
        except (asyncio.TimeoutError, Disconnected):
            pass

    async def gone(self) -> None:
        """Wait until who sent it is gone."""
        while (await self._receive())['type'] != 'http.disconnect':
            pass

    async def _next(self) -> bytes:
        message: Message = await self._receive()
        if message['type'] == 'http.disconnect':
            raise Disconnected
        self.is_complete = not message.get('more_body', False)
        return message.get('body', b'')


async def save(body: Body, headers: Headers, most: int) -> tuple[IO[bytes], str]:
    """Save the video of a request: the field ``video`` of a form, or the body itself.

    Args:
        body (Body): What comes.
        headers (Headers): Of the request.
        most (int): Bytes that a video may have.

    Returns:
        tuple: A file that nobody else can open by a name, and that is gone when it is closed; and what the sender calls
        it, fit to be shown.

    Raises:
        Refused: It is no such request.
        Disconnected: It breaks off.
    """
    kind = headers.get('content-type', '').partition(';')[0].strip().lower()
    if kind == 'multipart/form-data':
        file, name = await _save_field(body, headers, most)
    elif kind.startswith(RAW_TYPES):
        file, name = await _save_raw(body, most), ''
    else:
        raise Refused(
            415,
            f'content type {printable(kind)[:LONGEST_NAME]!r} is not taken; send a form (multipart/form-data) with the '
            f'field {FIELD!r}, or the file itself as video/mp4 or the like',
        )
    try:
        if file.seek(0, 2) == 0:
            raise Refused(400, 'the upload is empty')
        file.flush()
    except BaseException:
        file.close()
        raise
    return file, printable(name)[:LONGEST_NAME] or 'upload'


async def _save_field(body: Body, headers: Headers, most: int) -> tuple[IO[bytes], str]:
    parser = MultiPartParser(headers, body.chunks(most + FORM_SIZE), max_files=1, max_fields=8, max_part_size=4096)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Refused(400, f'the form cannot be read: {printable(error.message)}') from None
    upload = form.get(FIELD)
    if not isinstance(upload, UploadFile):
        await form.close()
        raise Refused(400, f'the form has no file in the field {FIELD!r}')
    if (upload.size or 0) > most:
        await form.close()
        raise _too_large(most)
    upload.file.rollover()  # type: ignore[attr-defined]  # it is a SpooledTemporaryFile, from memory to a file
    return upload.file, upload.filename or ''


async def _save_raw(body: Body, most: int) -> IO[bytes]:
    file = tempfile.TemporaryFile()
    try:
        async for chunk in body.chunks(most):
            file.write(chunk)
    except BaseException:
        file.close()
        raise
    return file


def _too_large(most: int) -> Refused:
    return Refused(413, f'the upload is larger than {most / MIB:.3g} MiB, which is the most this server takes')
