"""A web page and an HTTP interface for a recognizer."""

from .limits import Limits
from .server import serve

__all__ = ['Limits', 'serve']
