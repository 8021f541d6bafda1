"""Runs the application at an address of this machine until a signal ends it."""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Iterator

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from mmdualformer import signals
from mmdualformer.errors import UserError, describe
from mmdualformer.recognition import Recognizer

from .app import Service
from .guard import is_loopback
from .limits import Limits

MOST_CONNECTIONS = 256
HEADER_LIMIT = 10.0  # seconds until a connection must have said what it wants
END_LIMIT = 5  # seconds for answers that are being written when the server is stopped
BACKLOG = 128


def serve(
    recognizer: Recognizer,
    name: str,
    host: str = '127.0.0.1',
    port: int = 8000,
    limits: Limits | None = None,
    access_log: bool = False,
) -> None:
    """Serve a recognizer until SIGINT or SIGTERM comes.

    Args:
        recognizer (Recognizer): The model.
        name (str): What it is called.
        host (str): Name or address of this machine to listen at. Defaults to ``'127.0.0.1'``, which no other machine
            reaches.
        port (int): Its port, 0 for a free one. Defaults to 8000.
        limits (Limits, optional): What is taken.
        access_log (bool): Print a line for each request. Defaults to False.

    Raises:
        UserError: Nothing can listen there.
    """
    listener = listen(host, port)
    port = listener.getsockname()[1]
    shown = f'[{host}]' if ':' in host else host
    if not is_loopback(host):
        print(f'warning: --host {host} lets other machines send videos here, and there is no login', file=sys.stderr)

    def tell() -> None:
        print(
            f'serving {name}, {len(recognizer.classes)} classes, on http://{shown}:{port} (Ctrl-C ends it)', flush=True
        )

    logging.getLogger('python_multipart').setLevel(logging.CRITICAL)  # of wrong forms, whose senders are told
    service = Service(recognizer, limits or Limits(), name, host)
    with listener:
        Server(configure(service, access_log), tell, service.begin_stop).run([listener])


def configure(service: Service, access_log: bool = False) -> uvicorn.Config:
    """Tell uvicorn what to run, and how.

    Args:
        service (Service): The application.
        access_log (bool): Print a line for each request. Defaults to False.
    """
    return uvicorn.Config(
        service,
        http=Impatient,
        ws='none',
        lifespan='on',
        loop='asyncio',
        log_config=uvicorn.config.LOGGING_CONFIG if access_log else None,
        log_level='info' if access_log else 'error',
        access_log=access_log,
        proxy_headers=False,
        server_header=False,
        headers=[('Connection', 'close')],  # so that one time limit is enough for a connection
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=END_LIMIT,
    )


def listen(host: str, port: int) -> socket.socket:
    """Listen at an address.

    Raises:
        UserError: It is none of this machine's, or it is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        reason = describe(error).partition(' (while')[0]  # Python adds the address
        raise UserError(f'--host {host} --port {port} cannot be used: {reason}; --port 0 takes a free port') from None


class Server(uvicorn.Server):
    """Listens until a signal comes.

    Args:
        config (uvicorn.Config): What runs.
        tell (callable): Called when it is ready.
        begin_stop (callable): Called when it is about to end.
    """

    def __init__(self, config: uvicorn.Config, tell: Callable[[], object], begin_stop: Callable[[], object]) -> None:
        super().__init__(config)
        self.tell, self.begin_stop = tell, begin_stop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to those who hear them in all our tools."""
        signals.defer()
        try:
            yield
        finally:
            signals.defer(False)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        self.tell()

    async def on_tick(self, counter: int) -> bool:
        """See uvicorn; it comes ten times a second."""
        return await super().on_tick(counter) or bool(signals.received())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Have those who wait told that it ends, before uvicorn waits for them."""
        self.begin_stop()
        await super().shutdown(sockets)


class Impatient(H11Protocol):
    """Closes connections that do not say what they want."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self._patience = self.loop.call_later(HEADER_LIMIT, self._end_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._patience.cancel()
        super().connection_lost(exc)

    def _end_silent(self) -> None:
        if self.conn.their_state is h11.IDLE:
            self.transport.close()
