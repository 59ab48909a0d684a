"""Mapping files for tests: written from text, read, and applied to a payload."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Any

import msgspec

from stream.feeds.mapping import check, load
from stream.feeds.reading import Reading, Unmapped, read

if TYPE_CHECKING:
    from pathlib import Path

    from stream.feeds.mapping import FeedMapping

RECEIVED = 1_795_917_672_000_000
"""2026-11-29T02:01:12Z"""

DESK = """\
source: desk
tables:
  status: {"1": open, "2": pending, "9": null}
common:
  ticket: "{id}"
  at: "{at}"
  id: "{change}"
events:
  - when: kind == 'change'
    say: {type: ticket.changed, fields: {status: {from: "{status}", table: status}, team: "{team}"}}
  - when: kind == 'comment'
    say: {type: comment.added, public: "{public}"}
"""
AT = "2026-11-29T02:01:11Z"
CHANGE = {"kind": "change", "id": 7, "at": AT, "change": "c1", "status": 1, "team": "first line"}


def write(folder: Path, text: str, name: str = "desk.yaml") -> Path:
    path = folder / name
    path.write_text(dedent(text), "utf-8")
    return path


def mapping_of(folder: Path, text: str = DESK) -> FeedMapping:
    return load(write(folder, text))


def problems_of(folder: Path, text: str) -> list[str]:
    """The problems of a mapping, each as ``LINE: PLACE: MESSAGE``."""
    path = write(folder, text)
    return [str(problem).removeprefix(f"{path}:") for problem in check(path).problems]


def read_by(mapping: FeedMapping, payload: object, headers: dict[str, str] | None = None) -> Reading:
    return read(mapping, payload, headers or {}, RECEIVED)


def events_of(reading: Reading) -> list[dict[str, Any]]:
    assert reading.unmapped is None, str(reading.unmapped)
    return [msgspec.json.decode(event.value) for event in reading.events]


def unmapped_of(reading: Reading) -> Unmapped:
    assert reading.unmapped is not None
    assert not reading.events
    return reading.unmapped
