"""The story that the payloads of each vendor contain, shaped by its documentation, and what an engine makes of it.

Beside ``payloads``, a folder of ``tests/feeds`` may have documents of the vendor's API (``pulled``, with ``pulled.jsonl``) and
payloads that no mapping may guess (``unmapped-*``). Jira Data Center has folders of its own in Jira's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.feeds.mapping import load
from stream.feeds.reading import read
from stream.language.policies import load as load_policies
from stream.sla.engine import Engine
from stream.sla.playback import Playback
from stream.testing import Story, instant
from stream.wire.decode import read as decode
from stream.wire.incoming import Incoming
from tests.feeds.recorded import FOLDER, RECEIVED

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from stream.feeds.reading import MappedEvent, Reading
    from stream.sla.effects import Effect
    from stream.sla.events import Event
    from stream.sla.step import Outcome

VENDORS = sorted(path.parent.name for path in FOLDER.glob("*/shaped.txt"))
BOTH_WAYS = [
    ("zendesk", "payloads", "pulled"),
    ("jira", "payloads", "pulled"),
    ("jira", "data-center-payloads", "data-center-pulled"),
    ("zammad", "payloads", "pulled"),
    ("chatwoot", "payloads", "pulled"),
    ("intercom", "payloads", "pulled"),
]
"""Vendors whose mapping reads webhooks and documents: the vendor, the folder of webhooks, and the folder of documents."""


def documents(vendor: str, folder: str) -> list[tuple[str, Any]]:
    """The names and contents of the files of a folder, in the order of their arrival."""
    return [
        (f"{vendor}/{path.name}", json.loads(path.read_text("utf-8")))
        for path in sorted((FOLDER / vendor / folder).glob("*.json"))
    ]


def reading(vendor: str, payload: object) -> Reading:
    return read(load(vendor), payload, {}, RECEIVED)


def mapped(vendor: str, folder: str) -> list[MappedEvent]:
    """The events of a folder. Every payload must be mapped."""
    mapping = load(vendor)
    found: list[MappedEvent] = []
    for name, payload in documents(vendor, folder):
        one = read(mapping, payload, {}, RECEIVED)
        assert one.unmapped is None, f"{name}: {one.unmapped}"
        found += one.events
    return found


def expected(vendor: str, folder: str) -> list[dict[str, Any]]:
    name = folder.replace("payloads", "events")
    return [json.loads(line) for line in (FOLDER / vendor / f"{name}.jsonl").read_text("utf-8").splitlines()]


def incoming(event: MappedEvent) -> tuple[str, Event]:
    decoded = decode(event.value)
    assert isinstance(decoded, Incoming)
    return decoded.ticket, decoded.event


def outcome(events: Iterable[MappedEvent], ticket: str) -> tuple[tuple[str, ...], Counter[Outcome]]:
    """What an engine makes of the events of one ticket: its effects that last, sorted, and how it took each event."""
    policies = load_policies([Path(__file__).parent / "sla.yaml"])
    playback, until = Playback(Engine(policies)), instant("2026-03-02 15:00")
    effects: list[Effect] = []
    for event in events:
        its_ticket, decoded = incoming(event)
        if its_ticket == ticket:
            effects += playback.event(its_ticket, decoded)
    effects += playback.tick(until)
    story = Story("", policies, "UTC", (), until, ())
    return tuple(sorted(story.lines(effects))), playback.outcomes
