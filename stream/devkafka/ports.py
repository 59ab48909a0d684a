"""Finds free ports on 127.0.0.1 for the servers of the demo and the tests."""

from __future__ import annotations

import random
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
from typing import Final

# Below the ranges from which Linux and macOS take ports for outgoing connections. Otherwise a client that retries a dead
# broker could get the broker's own port, connect to itself, and prevent the broker from starting again.
_LOWEST: Final = 20_000
_HIGHEST: Final = 32_000


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port on which no process listens. Another process may still take it, so a server must handle that."""
    for port in random.sample(range(_LOWEST, _HIGHEST), k=200):
        if is_free(port):
            return port
    raise OSError(f"no free port found between {_LOWEST} and {_HIGHEST} on 127.0.0.1")


@contextmanager
def claimed(port: int) -> Iterator[bool]:
    """Whether the port is free and no other process on this machine has claimed it. The claim ends with the block.

    A worker binds its port seconds after somebody has found it free. Two demos that start together would take the same one.
    """
    with socket.socket() as claim:
        try:
            claim.bind(("127.0.0.1", port + 1))  # bound and not listened on: it is exclusive, and nothing stays behind
        except OSError:
            yield False
            return
        yield is_free(port)
