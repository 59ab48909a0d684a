"""Reads payloads that are in our own contract: ticket events as JSON, one or a list, or as the data of CloudEvents.

The modes of CloudEvents over HTTP are *structured* (one in the body), *batched* (a list in the body) and *binary* (the body is
the data, and headers ``ce-...`` have the rest). The data is a whole event of ours; the attributes of the CloudEvent are not
read.

Source: CloudEvents 1.0, HTTP protocol binding.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

import msgspec

from stream.feeds.reading import MAX_EVENTS, MappedEvent, Reading, Unmapped
from stream.gateway.media_type import BATCHED, STRUCTURED, media_type
from stream.sla.events import ERASURE
from stream.wire.decode import Rejected, Tick, read
from stream.wire.incoming import Incoming

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TICK: Final = ""
"""The ticket of a ``feed.tick``, which goes to every partition."""


class _CloudEvent(msgspec.Struct):
    specversion: str
    id: str
    source: str
    type: str
    data: msgspec.Raw = msgspec.Raw(b"")
    data_base64: str | None = None


_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_cloud_event: Final = msgspec.json.Decoder(_CloudEvent).decode
_cloud_events: Final = msgspec.json.Decoder(list[_CloudEvent]).decode
_VERSION: Final = "1.0"
_NO_ERASURE: Final = (
    "this feed may not erase tickets: run `breachwatch erase`, or set `erase = true` in its table of the settings file"
)


class _NoEventError(ValueError):
    """The payload has no events; ``path`` is the place in it."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path


def read_events(body: bytes, headers: Mapping[str, str], *, erases: bool = False) -> Reading:
    """All events of a payload; if one of them is invalid, the whole payload is unmapped. Never raises.

    ``erases``: whether it may erase tickets, which cannot be undone.
    """
    events: list[MappedEvent] = []
    try:
        for path, value in _values(body, headers):
            decoded = read(value)
            if isinstance(decoded, Rejected):
                return _unmapped(f"{decoded.reason}: {decoded.message}", f"{path}{decoded.path.removeprefix('$')}")
            if not erases and isinstance(decoded, Incoming) and decoded.event.type == ERASURE:
                return _unmapped(_NO_ERASURE, f"{path}.type")
            if len(events) == MAX_EVENTS:
                return _unmapped(f"more than {MAX_EVENTS} events", path)
            events.append(MappedEvent(TICK if isinstance(decoded, Tick) else decoded.ticket, value))
    except _NoEventError as error:
        return _unmapped(str(error), error.path)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _unmapped(str(error), "$")
    return Reading(tuple(events), None if events else "the list is empty", None)


def _values(body: bytes, headers: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Yield the JSON of each event with its path.

    Raises _NoEventError, msgspec.DecodeError, UnicodeDecodeError and RecursionError.
    """
    kind = media_type(headers)
    if kind == STRUCTURED:
        yield _data(_cloud_event(body), "$")
    elif kind == BATCHED:
        yield from (_data(event, f"$[{number}]") for number, event in enumerate(_cloud_events(body)))
    elif "ce-specversion" in headers:
        _check_version(headers["ce-specversion"], "header.ce-specversion")
        yield "$", body
    elif body.lstrip(b" \t\r\n")[:1] == b"[":
        yield from ((f"$[{number}]", bytes(item)) for number, item in enumerate(_items(body)))
    else:
        yield "$", body


def _data(event: _CloudEvent, path: str) -> tuple[str, bytes]:
    _check_version(event.specversion, f"{path}.specversion")
    if event.data_base64 is not None:
        try:
            return f"{path}.data_base64", base64.b64decode(event.data_base64, validate=True)
        except binascii.Error as error:
            raise _NoEventError(f"not base64: {error}", f"{path}.data_base64") from error
    if not bytes(event.data):
        raise _NoEventError("the CloudEvent has no data", f"{path}.data")
    return f"{path}.data", bytes(event.data)


def _check_version(version: str, path: str) -> None:
    if version != _VERSION:
        raise _NoEventError(f"{version[:16]!r} is not a version of CloudEvents that is read: use {_VERSION}", path)


def _unmapped(reason: str, path: str) -> Reading:
    return Reading((), None, Unmapped(reason, 0, path))
