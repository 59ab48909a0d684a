"""Ends a worker after an unforeseen error."""

from __future__ import annotations

import logging
import os
import sys
from typing import Final, NoReturn

from stream.wire.forms import NewerReleaseError

EXIT_STATUS: Final = 70
"""``EX_SOFTWARE``: a bug in breachwatch, or a fault of Kafka. After a restart the worker continues where it was."""

REFUSED: Final = 2
"""As when settings, policies or topics are wrong: a restart does not help."""

log = logging.getLogger(__name__)


def abort(doing: str, error: BaseException) -> NoReturn:
    """Log the action and its error, and end the process at once.

    An orderly shutdown would commit: Faust would acknowledge events whose results are not written. What a newer release wrote
    is not an error of this one, so there is no traceback, and the exit status is that of a restart that does not help.
    """
    status = EXIT_STATUS
    if isinstance(error, NewerReleaseError):
        status = REFUSED
        log.critical("stopped at once, %s: %s", doing, error)
    else:
        log.critical("stopped at once, %s; nothing unfinished was committed, restart to continue", doing, exc_info=error)
    for handler in logging.getLogger().handlers:
        handler.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
