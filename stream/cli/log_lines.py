"""The log of a worker on standard error, as text or as JSON."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from stream.runtime.settings import LogFormat
from stream.wire.printable import printable


class _RateLimit(logging.Filter):
    """Passes at most one line per second from libraries. While a broker is away, they log every attempt of every request."""

    def __init__(self) -> None:
        super().__init__()
        self._last = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("stream") or record.levelno >= logging.CRITICAL:
            return True
        if record.created - self._last < 1:
            return False
        self._last = record.created
        return True


class _Text(logging.Formatter):
    """One line for each record. A message may have text of tickets or of other servers, which must not begin another line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the name is that of the library
        return printable(super().formatMessage(record))


class _Json(logging.Formatter):
    """One object a line: ``time`` (RFC 3339, UTC), ``level``, ``logger``, ``message``, and ``exception`` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        text = json.dumps(line, ensure_ascii=False)
        if text.isprintable():
            return text
        # What JSON need not escape, such as U+009B, may still control a terminal.
        return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def log_to_stderr(form: LogFormat) -> None:
    """Log what the worker does, and the errors of libraries."""
    handler = logging.StreamHandler()
    handler.addFilter(_RateLimit())
    text = _Text("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(_Json() if form is LogFormat.JSON else text)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("stream").setLevel(logging.INFO)
    # Below this level, they log every step of a rebalance.
    for library in ("faust", "mode", "aiokafka"):
        logging.getLogger(library).setLevel(logging.ERROR)
