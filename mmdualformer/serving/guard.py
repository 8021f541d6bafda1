"""Lets in only requests that are meant for this server, and no page of another one in a browser."""

import ipaddress
import socket

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ('localhost', '127.0.0.1', '::1')
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    'Content-Security-Policy': POLICY,
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(self), microphone=()',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
}


class Guard:
    """Refuses requests under names of other hosts, which DNS rebinding makes, and those that other pages send.

    Args:
        app (ASGIApp): What it guards.
        host (str): What the server is bound to.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app = app
        self.host = host
        self._names = {*LOOPBACK, host.lower()}
        if not is_loopback(host):
            self._names.add(socket.gethostname().lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message['type'] == 'http.response.start':
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        reason = self._refuse(scope['method'], headers)
        if reason:
            await JSONResponse(dict(error=reason), 403)(scope, receive, send_with_headers)
        else:
            await self.app(scope, receive, send_with_headers)

    def _refuse(self, method: str, headers: Headers) -> str:
        """Why a request is refused, ``''`` if it is not."""
        host = headers.get('host', '').lower()
        name = _name_of(host)
        if name not in self._names and (is_loopback(self.host) or not _is_address(name)):
            return f'this server is not {name or "without a name"!r}; open it as localhost or by its address'
        origin = headers.get('origin')
        if origin is not None and method not in ('GET', 'HEAD') and origin.partition('://')[2].lower() != host:
            return 'pages of other servers may send nothing here'
        return ''


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    return host.lower() == 'localhost' or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _name_of(host: str) -> str:
    """The part of a Host header before the port."""
    if host.startswith('['):
        return host[1:].partition(']')[0]
    return host.partition(':')[0]
