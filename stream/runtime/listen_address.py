"""The address on which a service listens: the setting ``listen`` of every service that has one."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Address(NamedTuple):
    """An address to listen on."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(example: str) -> Callable[[str], Address]:
    """A reader of ``host:port``, of which the error names an example. Port 0 is any free one."""

    def read(text: str) -> Address:
        host, colon, port = text.strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not (colon and host and port.isdecimal() and int(port) < 65_536):
            raise ValueError(f"{text!r} is not an address to listen on: use host:port, such as {example}")
        return Address(host, int(port))

    return read
