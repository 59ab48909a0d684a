"""Free ports on 127.0.0.1 for what this machine serves to itself."""

from __future__ import annotations

import random
import socket
from typing import Final

# Below the ranges from which Linux and macOS take ports for outgoing connections: a client that keeps calling a dead
# broker could otherwise be given the broker's own port, connect to itself, and keep the broker from coming back.
_LOWEST: Final = 20_000
_HIGHEST: Final = 32_000


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` at this moment."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that no one listens on; another process may still take it first, so a server must cope with that."""
    for port in random.sample(range(_LOWEST, _HIGHEST), k=200):
        if is_free(port):
            return port
    raise OSError(f"no free port found between {_LOWEST} and {_HIGHEST} on 127.0.0.1")
