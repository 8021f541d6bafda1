"""A runner that keeps its log to itself."""

import logging
from collections.abc import Mapping

from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

SHOWN: Mapping[str, object] = dict(is_shown=True)  # ``extra`` of what is logged for information, and shown all the same


@RUNNERS.register_module()
class QuietRunner(Runner):
    """MMEngine's ``Runner``, whose log is complete in its file, and of which the console shows warnings and errors.

    It also shows what is logged with ``extra=SHOWN``.

    A config chooses it with ``runner_type='QuietRunner'``. The arguments are those of ``Runner``.
    """

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """Build the logger before anything is logged, as the environment and the config are at once."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(_is_for_the_user)
                handler.setFormatter(_PlainFormatter(handler.formatter))
        return logger


class _PlainFormatter(logging.Formatter):
    """Writes what is shown for information as it is, without the time and the level; the rest as another does."""

    def __init__(self, other: logging.Formatter | None) -> None:
        super().__init__()
        self.other = other or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        return record.getMessage() if record.levelno < logging.WARNING else self.other.format(record)


def _is_for_the_user(record: logging.LogRecord) -> bool:
    if record.levelno < logging.WARNING and not getattr(record, 'is_shown', False):
        return False
    # MMEngine 0.10.7 calls functions of its own that it deprecates, and warns of that in every run
    return 'will be deprecated in future' not in record.getMessage()
