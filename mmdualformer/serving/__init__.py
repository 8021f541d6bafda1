"""A web page and an HTTP interface for a recognizer."""

from .limits import Limits
from .reading import prepare
from .server import serve

__all__ = ['Limits', 'prepare', 'serve']
