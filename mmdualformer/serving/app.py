"""The pages and the interface of a server."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mmdualformer.recognition import Recognizer
from mmdualformer.version import __version__

from .explaining import can_explain
from .guard import Guard
from .jobs import Job, JobQueue
from .limits import Limits, Refused
from .uploads import Body, Disconnected, save

PAGE = Path(__file__).parent / 'page'
FILES = {
    '/': ('index.html', 'text/html'),
    '/page.css': ('page.css', 'text/css'),
    '/page.js': ('page.js', 'text/javascript'),
}
TICKET = re.compile(r'[\w-]{8,64}', re.ASCII)


class Service:
    """The application that a server runs, for ASGI.

    Args:
        recognizer (Recognizer): The model.
        limits (Limits): What is taken.
        name (str): What the model is called.
        host (str): What the server is bound to. Defaults to ``'127.0.0.1'``.
    """

    def __init__(self, recognizer: Recognizer, limits: Limits, name: str, host: str = '127.0.0.1') -> None:
        self.recognizer = recognizer
        self.limits = limits
        self.name = name
        self._tickets: dict[str, Job] = {}
        self._guarded = Guard(self._app(), host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        await self._guarded(scope, receive, send)

    def begin_stop(self) -> None:
        """Take nothing any more, and end what is being recognized."""
        self._queue.begin_stop()

    def _app(self) -> Starlette:
        contents = {path: ((PAGE / file).read_bytes(), kind) for path, (file, kind) in FILES.items()}
        return Starlette(
            routes=[
                *(Route(path, _page(*content), methods=['GET']) for path, content in contents.items()),
                Route('/recognize', self._recognize, methods=['POST']),
                Route('/progress', self._progress, methods=['GET']),
                Route('/health', self._health, methods=['GET']),
                Route('/limits', self._limits, methods=['GET']),
            ],
            exception_handlers={HTTPException: _say_error, Exception: _say_fault},
            lifespan=self._live,
        )

    @asynccontextmanager
    async def _live(self, app: Starlette) -> AsyncIterator[None]:
        self._queue = JobQueue(self.recognizer, self.limits)
        await self._queue.start()
        yield
        await self._queue.stop()

    async def _recognize(self, request: Request) -> Response:
        length = request.headers.get('content-length', '')
        body = Body(request.receive, int(length) if length.isdecimal() else None)
        try:
            return JSONResponse(await self._answer(request, body))
        except Refused as refused:
            return _Refusal(refused, body)
        except Disconnected:
            return Response(status_code=499)

    async def _answer(self, request: Request, body: Body) -> dict[str, Any]:
        job = _read_options(request.query_params)
        if job.explained and not can_explain(self.recognizer):
            raise Refused(400, 'explain=1 needs a checkpoint: an exported model only has scores')
        ticket = request.headers.get('x-ticket', '')
        if ticket and (not TICKET.fullmatch(ticket) or ticket in self._tickets):
            raise Refused(400, 'X-Ticket must be 8 to 64 letters and digits that no other upload has')
        self._queue.admit(job)
        if ticket:
            self._tickets[ticket] = job
        try:
            job.file, job.name = await save(body, request.headers, self.limits.max_size)
            return await _unless_gone(self._queue.recognize(job), body)
        finally:
            self._queue.leave(job)
            self._tickets.pop(ticket, None)

    async def _progress(self, request: Request) -> Response:
        job = self._tickets.get(request.query_params.get('ticket', ''))
        if job is None:
            return JSONResponse(dict(error='there is no such upload here'), 404)
        return JSONResponse(dict(state=job.state, before=self._queue.place(job), done=round(job.done, 3)))

    async def _health(self, request: Request) -> Response:
        return JSONResponse(
            dict(
                status='ok',
                model=self.name,
                classes=len(self.recognizer.classes),
                several=self.recognizer.scorer.several,
                explains=can_explain(self.recognizer),
                waiting=self._queue.waiting,
                version=__version__,
            )
        )

    async def _limits(self, request: Request) -> Response:
        return JSONResponse(self.limits.to_dict())


def _read_options(given: QueryParams) -> Job:
    unknown = sorted(set(given) - {'topk', 'segments', 'explain'})
    if unknown:
        raise Refused(400, f'{unknown[0][:40]!r} is no option; there are topk, segments and explain')
    topk = given.get('topk', '5')
    if not re.fullmatch('[0-9]{1,6}', topk) or int(topk) < 1:
        raise Refused(400, f'topk={topk[:40]!r} must be a whole number of at least 1')
    return Job(int(topk), _switch(given, 'segments'), bool(_switch(given, 'explain')))


async def _unless_gone(work, body: Body) -> dict:
    """Wait for an answer; give up when nobody waits for it any more."""
    answer, gone = asyncio.ensure_future(work), asyncio.ensure_future(body.gone())
    try:
        await asyncio.wait([answer, gone], return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise Disconnected
    finally:
        for task in (answer, gone):
            task.cancel()
        await asyncio.wait([answer, gone])


class _Refusal(JSONResponse):
    """An error, after which the rest of the upload is read: many a sender reads no answer before all is sent."""

    def __init__(self, refused: Refused, body: Body) -> None:
        headers = {} if refused.retry_after is None else {'Retry-After': str(refused.retry_after)}
        super().__init__(dict(error=refused.reason), refused.status, headers)
        self.rest = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        await send({'type': 'http.response.start', 'status': self.status_code, 'headers': self.raw_headers})
        await send({'type': 'http.response.body', 'body': self.body, 'more_body': True})
        await self.rest.discard()
        await send({'type': 'http.response.body', 'body': b''})


def _switch(given: QueryParams, name: str) -> bool | None:
    value = given.get(name)
    if value not in (None, '0', '1'):
        raise Refused(400, f'{name}={value[:40]!r} must be 0 or 1')
    return None if value is None else value == '1'


def _page(content: bytes, kind: str):
    async def respond(request: Request) -> Response:
        return Response(content, media_type=kind)

    return respond


async def _say_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {404: 'there is nothing here by that name', 405: f'{request.method} does nothing here'}
    return JSONResponse(
        dict(error=words.get(error.status_code, error.detail)), error.status_code, headers=error.headers
    )


async def _say_fault(request: Request, error: Exception) -> Response:
    return JSONResponse(dict(error='the server has failed; its terminal says why'), 500)
