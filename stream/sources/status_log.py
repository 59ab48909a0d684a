"""Converts an exported status log to ticket events. Each row of the log is one status change of one case.

A log has less information than a feed: it has states, not actions. A mapping (``status_mapping``) gives the meaning of each
status; events that the log cannot express are not made up. A row becomes events as a whole or is refused as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stream.sla.events import Event, EventType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stream.sources.log_mapping import LogMapping
    from stream.sources.log_rows import Row


def to_events(rows: Iterable[Row], mapping: LogMapping) -> Iterator[tuple[Row, list[Event]]]:
    """Yield each row with its events, which are none for a row that changes nothing. ``rows`` must be in time order.

    The ids consist of the case and the row's line, so a second import of the same log repeats the ids of the first.
    """
    cases: dict[str, _Case] = {}
    for row in rows:
        events = []
        case = cases.get(row.case)
        if case is None:
            case = cases[row.case] = _Case(row.at)
            columns = {name: value for name, value in zip(mapping.fields, row.fields, strict=True) if value}
            events.append(case.event(row, mapping, "ticket.created", fields=case.update({**mapping.created, **columns})))
        events += case.follow(row, mapping)
        yield row, events


@dataclass(slots=True)
class _Case:
    """The state of one case after the rows so far."""

    at: int
    seq: int = 0
    fields: dict[str, str | list[str]] = field(default_factory=dict)
    waits_for: str = ""
    answered: bool = False
    deleted: bool = False

    def follow(self, row: Row, mapping: LogMapping) -> Iterator[Event]:
        meaning = mapping.statuses[row.status]
        if meaning.deleted is not self.deleted:  # before what else the row changes: a deletion that closes fulfils nothing
            self.deleted = meaning.deleted
            yield self.event(row, mapping, "ticket.deleted" if self.deleted else "ticket.restored")
        if self.waits_for and meaning.dependency != self.waits_for:
            yield self.event(row, mapping, "dependency.ended", party=self.waits_for)
            self.waits_for = ""
        fields = dict(zip(mapping.fields, row.fields, strict=True))
        if meaning.status:
            fields["status"] = meaning.status
        if meaning.assignee is not None:
            fields["assignee"] = meaning.assignee
        if changed := self.update(fields):
            yield self.event(row, mapping, "ticket.changed", fields=changed)
        if meaning.dependency and not self.waits_for:
            self.waits_for = meaning.dependency
            yield self.event(row, mapping, "dependency.started", party=self.waits_for)
        if meaning.first_answer and not self.answered:
            self.answered = True
            yield self.event(row, mapping, "comment.added", public=True)

    def update(self, fields: dict[str, str]) -> dict[str, str | list[str]]:
        """Set these fields and return those that changed. A field that was never set counts as ``""``."""
        changed: dict[str, str | list[str]] = {name: text for name, text in fields.items() if self.fields.get(name, "") != text}
        self.fields.update(changed)
        return changed

    def event(
        self,
        row: Row,
        mapping: LogMapping,
        kind: EventType,
        *,
        fields: dict[str, str | list[str]] | None = None,
        public: bool = False,
        party: str = "",
    ) -> Event:
        """The next event of this case. ``seq`` counts the events of an instant, so that its rows keep their order."""
        if row.at != self.at:
            self.at, self.seq = row.at, 0
        event = Event(
            at=row.at,
            id=f"{row.case}#{row.line}.{self.seq}",
            type=kind,
            source=mapping.source,
            seq=self.seq,
            actor="agent" if public else None,
            fields=fields or {},
            public=public,
            party=party,
        )
        self.seq += 1
        return event
