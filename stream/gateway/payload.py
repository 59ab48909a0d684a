"""Reads a payload by the mapping of its feed, and makes the records of its events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from stream.feeds.reading import Reading, Unmapped, read
from stream.gateway.contract import read_events
from stream.gateway.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.feeds.mapping import FeedMapping


def read_payload(mapping: FeedMapping | None, body: bytes, headers: Mapping[str, str], received: int) -> tuple[Reading, str]:
    """What came of a payload, and the reason of its dead letter, if it is one. Never raises.

    ``mapping`` ``None`` is our own contract. ``received`` is in epoch microseconds.
    """
    if mapping is None:
        return read_events(body, headers), "unmapped"
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return Reading((), None, Unmapped(f"the payload is not JSON: {error}", 0, "")), "undecodable"
    return read(mapping, payload, headers, received), "unmapped"


def records_of(reading: Reading, topic: str) -> list[Outgoing]:
    """The records of the events: each under its ticket, and one without a ticket, a tick, in every partition."""
    return [Outgoing(topic, event.ticket.encode() or None, event.value, not event.ticket) for event in reading.events]
