"""Bytes to standard output."""

from __future__ import annotations

import sys


def write(data: bytes) -> None:
    """Write all of it. With ``PYTHONUNBUFFERED``, a single write to a pipe may write only a part. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[sys.stdout.buffer.write(rest) :]
