"""How a worker ends when something happened that its code does not foresee."""

from __future__ import annotations

import logging
import os
import sys
from typing import Final, NoReturn

EXIT_STATUS: Final = 70
"""``EX_SOFTWARE``: our bug, or a Kafka that broke its word. Start the worker again; it goes on where it was."""

log = logging.getLogger(__name__)


def abort(doing: str, error: BaseException) -> NoReturn:
    """Log what was being done and what went wrong, and end the process at once.

    At once, because an orderly shutdown commits: Faust would acknowledge what has not been written.
    """
    log.critical("stopped at once, %s; nothing unfinished was committed, start again to go on", doing, exc_info=error)
    for handler in logging.getLogger().handlers:
        handler.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_STATUS)
