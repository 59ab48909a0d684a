"""Reads a payload by the mapping of its feed, and makes the records of its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import orjson

from stream.feeds.reading import MAX_ELEMENTS, Reading, Unmapped, read
from stream.gateway.contract import read_events
from stream.gateway.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream.feeds.mapping import FeedMapping
    from stream.gateway.feed import Feed

_elements: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


def read_payload(
    mapping: FeedMapping | None, body: bytes, headers: Mapping[str, str], received: int, *, erases: bool = False
) -> tuple[Reading, str]:
    """The reading of a payload, and the reason of its dead letter, if it is one. Never raises.

    ``mapping`` ``None`` is our own contract, of which ``erases`` states whether it may erase tickets. ``received`` is in epoch
    microseconds.
    """
    if mapping is None:
        return read_events(body, headers, erases=erases), "unmapped"
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return Reading((), None, Unmapped(f"the payload is not JSON: {error}", 0, "")), "undecodable"
    return read(mapping, payload, headers, received), "unmapped"


class Part(NamedTuple):
    """The part of a payload that becomes a dead letter."""

    reading: Reading
    """The events of the other part, and why this one is unmapped."""
    reason: str
    body: bytes


def read_by_parts(feed: Feed, body: bytes, headers: Mapping[str, str], received: int) -> Part:
    """As ``read_payload``. Of a batch (``FeedMapping.batch``), only the elements that are unmapped are left out.

    If no part is a dead letter, ``reading.unmapped`` is ``None``.
    """
    mapping = feed.mapping
    reading, reason = read_payload(mapping, body, headers, received, erases=feed.erases)
    if reading.unmapped is None or mapping is None or not mapping.batch or reason != "unmapped":
        return Part(reading, reason, body)
    elements = orjson.loads(body)
    if not isinstance(elements, list) or not 1 < len(elements) <= MAX_ELEMENTS:
        return Part(reading, reason, body)
    readings = [read(mapping, [element], headers, received) for element in elements]
    unmapped = [one.unmapped is not None for one in readings]
    if not any(unmapped):  # only together do they not fit
        return Part(reading, reason, body)
    events = tuple(dict.fromkeys(event for one in readings for event in one.events))
    return Part(Reading(events, None, reading.unmapped), reason, _kept(body, unmapped))


def _kept(body: bytes, wanted: Sequence[bool]) -> bytes:
    """A list of these elements of the body, in the bytes in which they came: written anew, they could be too long for Kafka."""
    try:
        elements = _elements(body)
    except RecursionError:  # all of it, since the repetition of events does no harm
        return body
    return b"[%b]" % b",".join([bytes(one) for one, kept in zip(elements, wanted, strict=True) if kept])


def records_of(reading: Reading, topic: str) -> list[Outgoing]:
    """The records of the events: each under its ticket, and one without a ticket, a tick, in every partition."""
    return [Outgoing(topic, event.ticket.encode() or None, event.value, not event.ticket) for event in reading.events]
