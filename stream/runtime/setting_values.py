"""Converts the text of a setting to its value. Every function raises ValueError with the problem and the expected form."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from stream.wire.ticket_fields import MAX_NAME, nameable, one_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import StrEnum

AUTO: Final = -1
"""The retention ``auto``, which depends on the setting ``clock``."""
_SHORTEST_TOKEN: Final = 16
_MOST_CUSTOMERS: Final = 100
_MOST_IN_TOPIC: Final = 100
_TOPIC_PART: Final = f"{_MOST_IN_TOPIC} characters of A-Z a-z 0-9 . _ -"
OAUTHBEARER: Final = "OAUTHBEARER"
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", OAUTHBEARER)
_PATH: Final = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_PAGES: Final = ("tickets", "lists", "metrics", "healthz", "readyz", "deployments")
"""First parts of the addresses of ``stream.observe.pages.routes``, which a proxy may pass on without the prefix."""
_EXTENSION: Final = re.compile(r"([A-Za-z]+)=([\x20-\x7e\t]+)")
_UNITS: Final = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


def text(value: str) -> str:
    if not value.strip():
        raise ValueError("it is empty")
    return value.strip()


def maybe(value: str) -> str:
    return value.strip()


def verbatim(value: str) -> str:
    return value


def sasl(value: str) -> str:
    if value.strip() and value.strip() not in MECHANISMS:
        raise ValueError(f"{value!r} is not one of {', '.join(MECHANISMS)}")
    return value.strip()


def names(value: str) -> tuple[str, ...]:
    if not (items := some_names(value)):
        raise ValueError("it is empty; use one or more names, separated by commas")
    return items


def some_names(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())


def kept_fields(value: str) -> frozenset[str] | None:
    """Names of ticket fields; ``None`` for all."""
    if value.strip() == "*":
        return None
    for item in (items := some_names(value)):
        if not nameable(item):
            raise ValueError(f"{item!r} cannot be a ticket field: use at most {MAX_NAME} characters, and no @ at the beginning")
    return frozenset(one_form(item) for item in items)


def metric_customers(value: str) -> frozenset[str]:
    """Names of customers as tickets have them. A name with a comma is in double quotation marks."""
    try:
        (items,) = csv.reader([value], skipinitialspace=True, strict=True)
    except csv.Error as error:
        raise ValueError(f"{value!r} is not a list of names: {error}") from error
    customers = frozenset(one_form(item.strip()) for item in items if item.strip())
    if len(customers) > _MOST_CUSTOMERS:
        raise ValueError(f"it names {len(customers)} customers; each multiplies the series, so name at most {_MOST_CUSTOMERS}")
    return customers


def host_names(value: str) -> tuple[str, ...]:
    """Names of hosts as browsers send them, or ``*``. A port is left out, because every port of a name is allowed."""
    found = []
    for item in some_names(value):
        try:
            parts = urlsplit(f"//{item}")
            name = (parts.hostname or "").rstrip(".")
            name = name if name.isascii() else name.encode("idna").decode()
        except ValueError:  # brackets that are not an address, or labels that are too long
            name = ""
        if not name or (parts.netloc, parts.path, parts.query, parts.fragment) != (item, "", "", "") or "@" in item:
            raise ValueError(f"{item!r} is not the name of a host: use sla.example.com, or * for all names")
        if "*" in name and name != "*":
            raise ValueError(f"{item!r}: name each host, or use * for all names")
        found.append(name)
    return tuple(found)


def addresses(value: str) -> tuple[str, ...]:
    for item in (items := names(value)):
        host, colon, port = item.rpartition(":")
        if not (colon and host and port.isdecimal() and 0 < int(port) < 65_536):
            raise ValueError(f"{item!r} is not a valid address: use host:port, and commas between several")
    return items


def topic_part(value: str) -> str:
    value = value.strip()
    if len(value) > _MOST_IN_TOPIC or not all(c.isascii() and (c.isalnum() or c in "._-") for c in value):
        raise ValueError(f"{value!r} cannot be part of a topic name: use at most {_TOPIC_PART}")
    return value


def app_id(value: str) -> str:
    return topic_part(text(value))


@dataclass(frozen=True, slots=True)
class Length:
    """Reads a length of time within bounds, in microseconds."""

    at_least: str
    at_most: str

    def __call__(self, value: str) -> int:
        span = micros(value)
        if not micros(self.at_least) <= span <= micros(self.at_most):
            raise ValueError(f"{value!r} is not between {self.at_least} and {self.at_most}")
        return span


_RETENTION: Final = Length("0s", "3650d")


def retention(value: str) -> int | None:
    """Microseconds, ``AUTO``, or ``None`` for unlimited."""
    words = {"auto": AUTO, "never": None}
    return words[value.strip()] if value.strip() in words else _RETENTION(value)


def page_address(value: str) -> str:
    """An http or https URL of a host and an optional port, or empty."""
    value = value.strip().rstrip("/")
    parts = urlsplit(value)
    try:
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # the port is not a number
        valid = False
    if value and not (valid and value == f"{parts.scheme}://{parts.netloc}" and "@" not in value):
        raise ValueError(f"{value!r} is not a valid address of pages: use http://host:port or https://host")
    return value


def path_prefix(value: str) -> str:
    """A path such as ``/sla``, or empty."""
    value = value.strip().rstrip("/")
    if value and not _PATH.fullmatch(value):
        raise ValueError(f"{value!r} is not a path: use /sla or /tools/sla, of letters, digits and . _ ~ -")
    if (first := value.split("/", 2)[1] if value else "") in _PAGES:
        raise ValueError(f"{value!r} is an address of the pages themselves: begin the path with another word than {first}")
    return value


def web_address(value: str) -> str:
    """An http or https URL, or empty."""
    value = value.strip()
    parts = urlsplit(value)
    if value and not (parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and not parts.fragment):
        # It may have a secret in it, so it is not shown.
        raise ValueError("it is not a valid address: use https://host/path, without a name or password")
    return value


def extensions(value: str) -> tuple[tuple[str, str], ...]:
    """SASL extensions by RFC 7628: names of letters, and values of printable characters."""
    found = [_EXTENSION.fullmatch(item) for item in some_names(value)]
    if bad := [item for item, match in zip(some_names(value), found, strict=True) if match is None]:
        raise ValueError(f"{bad[0]!r} is not an extension: use name=value with a name of letters")
    if any(match is not None and match[1].lower() == "auth" for match in found):
        raise ValueError("the extension 'auth' is the token itself: omit it")
    return tuple((match[1], match[2]) for match in found if match is not None)


def token(value: str) -> str:
    value = value.strip()
    if value and not (len(value) >= _SHORTEST_TOKEN and value.isascii() and value.isprintable() and " " not in value):
        # The text must not have the token itself, because it goes to logs.
        raise ValueError(f"a token must have at least {_SHORTEST_TOKEN} ASCII characters and no spaces")
    return value


@dataclass(frozen=True, slots=True)
class Whole:
    """Reads a whole number within bounds."""

    at_least: int
    at_most: int

    def __call__(self, value: str) -> int:
        if not value.strip().isdecimal():
            raise ValueError(f"{value!r} is not a whole number")
        if not self.at_least <= int(value) <= self.at_most:
            raise ValueError(f"{value} is not between {self.at_least} and {self.at_most}")
        return int(value)


def one_of(kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    def read(value: str) -> StrEnum:
        try:
            return kind(value.strip())
        except ValueError:
            raise ValueError(f"{value!r} is not one of {', '.join(kind)}") from None

    return read


def yes_no(value: str) -> bool:
    answers = {"yes": True, "true": True, "no": False, "false": False}
    if value.strip().lower() not in answers:
        raise ValueError(f"{value!r} is neither yes nor no")
    return answers[value.strip().lower()]


def micros(value: str) -> int:
    """The microseconds of a duration such as ``200ms``, ``0.2s``, ``5m``, ``1h``."""
    bare = value.strip()
    unit = next((unit for unit in _UNITS if bare.endswith(unit) and bare[: -len(unit)].replace(".", "", 1).isdecimal()), "")
    if not unit:
        raise ValueError(f"{value!r} is not a length of time: use 200ms, 0.2s, 5m, 1h or 30d")
    return int(Fraction(bare[: -len(unit)]) * _UNITS[unit])


_BOUNDS: Final[Mapping[Callable[[str], object], str]] = {
    app_id: f"1 to {_TOPIC_PART}",
    topic_part: f"at most {_TOPIC_PART}",
    kept_fields: f"names of at most {MAX_NAME} characters, or *",
    metric_customers: f"at most {_MOST_CUSTOMERS} names",
    retention: f"{_RETENTION.at_least} to {_RETENTION.at_most}, auto or never",
    token: f"none, or at least {_SHORTEST_TOKEN} ASCII characters without spaces",
}


def bounds(reader: Callable[[str], object]) -> str:
    """The bounds that a reader enforces, in words; empty if it has none."""
    return f"{reader.at_least} to {reader.at_most}" if isinstance(reader, Length | Whole) else _BOUNDS.get(reader, "")
