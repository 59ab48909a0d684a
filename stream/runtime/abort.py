"""Ends a worker after an unforeseen error."""

from __future__ import annotations

import logging
import os
import sys
from typing import Final, NoReturn

EXIT_STATUS: Final = 70
"""``EX_SOFTWARE``: a bug in breachwatch, or a fault of Kafka. After a restart the worker continues where it was."""

log = logging.getLogger(__name__)


def abort(doing: str, error: BaseException) -> NoReturn:
    """Log the action and its error, and end the process at once.

    An orderly shutdown would commit: Faust would acknowledge events whose results are not written.
    """
    log.critical("stopped at once, %s; nothing unfinished was committed, restart to continue", doing, exc_info=error)
    for handler in logging.getLogger().handlers:
        handler.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_STATUS)
