"""The text of a message: what happened to which ticket, by when, and how late. Pure.

It has only what the effect has, and of the ticket's fields only the priority, the customer and the team: other fields may be
about people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Final
from urllib.parse import quote
from zoneinfo import ZoneInfoNotFoundError

from stream.language.zones import UnknownZoneError, read_tzinfo
from stream.sla.calendar.zone import EPOCH
from stream.sla.effects import Kind, ProvisionalReason, Reason
from stream.wire.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zoneinfo import ZoneInfo

    from stream.sla.effects import Effect

_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_LONG_UNDETECTED: Final = 5 * _MINUTE
_LONGEST: Final = 200
"""Characters of a value of the ticket that a message shows."""
_ACTIVE: Final = re.compile(r"(?<!\w)@(?=\S)|<(?=\S)|!(?=\S+>)|:(?=//)")
"""Characters that begin a mention or a link in chat systems. A customer whose name is <!channel> must not wake everybody, so
that a space without width follows."""
LISTED: Final = 20
"""Messages that a summary lists."""

_DOUBT: Final = "events of this ticket may be missing"
_DOUBTS: Final = {
    ProvisionalReason.FEED_SILENT: "the feed of the helpdesk is silent, so an answer may be missing",
    ProvisionalReason.FEED_LAGGING: "the feed of the helpdesk is behind, so an answer may be missing",
    ProvisionalReason.FEED_UNREACHABLE: "the helpdesk does not answer, so an answer may be missing",
}


class Status(StrEnum):
    """The relation of a message to the earlier messages at its destination."""

    NEWS = "news"
    CORRECTION = "correction"
    """The fact stands, and something about it that was sent before is another."""
    CONFIRMATION = "confirmation"
    """A message that was provisional is true."""
    WITHDRAWAL = "withdrawal"
    """An earlier message is not true."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message about one effect."""

    id: str
    """The id of the effect: a repetition has the same."""
    status: Status
    title: str
    """One line, which a summary lists."""
    body: str
    url: str
    """Of the ticket; empty: none."""


_QUALIFIERS: Final = {Status.CORRECTION: "corrected: ", Status.CONFIRMATION: "confirmed: "}


class Writer:
    """Writes messages in the zone and with the links of the rules."""

    def __init__(self, zone: ZoneInfo | None, ticket_url: str) -> None:
        self._zone: Final = zone
        self._ticket_url: Final = ticket_url

    def message(self, effect: Effect, status: Status) -> Message:
        """The message about an effect. That of a withdrawal is about the effect that takes it back."""
        zone = self._zone or _zone_of(effect)
        url = self._url(effect.ticket)
        lines = [*_facts(effect, status, zone), *_circumstances(effect), *_about(effect), *([url] if url else [])]
        return Message(effect.id, status, _title(effect, status), "\n".join(lines), url)

    def digest(self, effect: Effect) -> str:
        """Equal for two effects about which the same is written."""
        zone = self._zone or _zone_of(effect)
        text = "\n".join([_title(effect, Status.NEWS), *_facts(effect, Status.NEWS, zone), *_about(effect)])
        return blake2b(text.encode(), digest_size=6).hexdigest()

    def _url(self, ticket: str) -> str:
        if not self._ticket_url:
            return ""
        return self._ticket_url.format(ticket=quote(ticket, safe=""), number=quote(ticket.rpartition("/")[2], safe=""))


def summary(messages: Sequence[Message]) -> tuple[str, str]:
    """Title and body of one message that stands for several. The list has at most ``LISTED`` of them."""
    shown = messages[:LISTED]
    title = f"{len(messages)} SLA messages"
    lines = [f"- {message.title}" + (f" {message.url}" if message.url else "") for message in shown]
    if rest := len(messages) - len(shown):
        lines.append(f"and {rest} more: `breachwatch watch --since 1h --no-follow` lists them")
    return title, "\n".join([f"{len(messages)} messages came at once, or in a short time:", *lines])


def _title(effect: Effect, status: Status) -> str:
    priority = _short(effect.fields.get("priority", ""))
    prefix = f"[{priority}] " if priority else ""
    subject = _subject(effect)
    if status is Status.WITHDRAWAL:
        kind = effect.retracts_kind or effect.kind
        return f"{prefix}{_short(effect.ticket)}: not true: {subject} {_happened(kind, effect)}"
    qualifier = _QUALIFIERS.get(status, "provisional: " if effect.provisional else "")
    return f"{prefix}{_short(effect.ticket)}: {qualifier}{subject} {_happened(effect.kind, effect)}"


def _subject(effect: Effect) -> str:
    if effect.ladder:
        return f"escalation {effect.ladder}"
    return effect.commitment.replace("_", " ") or "commitment"


def _happened(kind: Kind, effect: Effect) -> str:
    word = kind.partition(".")[2].replace("_", " ")
    if kind in (Kind.RAISED, Kind.REPEATED, Kind.RECURRED):
        return f"{word}, level {effect.level}" if effect.level else word
    if kind is Kind.WARNED:
        return f"is due soon ({effect.level})" if effect.level else "is due soon"
    return word


def _facts(effect: Effect, status: Status, zone: ZoneInfo) -> Iterator[str]:
    """Sentences about the event."""
    if status is Status.WITHDRAWAL:
        yield f"What was sent about this is not true: {_why(effect)}."
        return
    if status is Status.CORRECTION:
        yield "This replaces what was sent before."
    if status is Status.CONFIRMATION:
        yield "What was sent as provisional is confirmed."
    if effect.due_at is not None:
        yield _deadline(effect, effect.due_at, zone)
    if effect.kind is Kind.MET_LATE and effect.target is not None:
        yield f"It was fulfilled {length(effect.elapsed - effect.target)} too late, on the clock of the target."
    if effect.notify:
        yield f"To inform: {', '.join(map(_short, effect.notify))}."
    if effect.owner:
        yield f"Responsible: {_short(effect.owner)}."
    if effect.assign_to:
        yield f"The ticket goes to the team {_short(effect.assign_to)}."
    if effect.allowed_from is not None:
        yield f"The request is allowed from {when(effect.allowed_from, zone)}."


def _circumstances(effect: Effect) -> Iterator[str]:
    """The way in which the effect was detected. It does not make a message another one."""
    if effect.retracts:
        return
    if effect.provisional:
        doubt = _DOUBTS.get(effect.provisional_reason or ProvisionalReason.INPUT_LOST, _DOUBT)
        yield f"Provisional: {doubt}. Check the ticket before you act."
    if effect.late:
        yield "This corrects the past: it was found out through an event that arrived late."
    elif effect.detected_at - effect.at >= _LONG_UNDETECTED:
        yield f"Detected {length(effect.detected_at - effect.at)} after it happened."


def _deadline(effect: Effect, due_at: int, zone: ZoneInfo) -> str:
    due = when(due_at, zone)
    if effect.kind is Kind.WARNED and due_at > effect.at:
        return f"Due {due}, in {length(due_at - effect.at)}."
    if due_at < effect.at:
        return f"It was due {due}, {length(effect.at - due_at)} before."
    if effect.kind is Kind.BREACHED:
        return f"It was due {due}."
    return f"Due {due}."


def _why(effect: Effect) -> str:
    if effect.reason is Reason.REJUDGED:
        return "the policies were changed from an instant in the past"
    return "an event that arrived late shows it"


def _about(effect: Effect) -> Iterator[str]:
    yield f"Ticket: {_short(effect.ticket)}"
    for name in ("priority", "customer", "team"):
        if value := effect.fields.get(name, ""):
            yield f"{name.capitalize()}: {_short(value if isinstance(value, str) else ', '.join(value))}"
    if effect.policy:
        yield f"Policy: {_short(effect.policy)}"


def when(instant: int, zone: ZoneInfo) -> str:
    """An instant (epoch microseconds) as ``Mon 9 Mar 2026 09:30 IST``."""
    moment = (EPOCH + timedelta(microseconds=instant)).astimezone(zone)
    seconds = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    return f"{moment:%a} {moment.day} {moment:%b %Y} {seconds} {moment:%Z}"


def length(micros: int) -> str:
    """A length of time in its two largest units: ``1 h 20 min``."""
    seconds = micros // _SECOND
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def _short(value: str | list[str]) -> str:
    text = printable(value if isinstance(value, str) else ", ".join(value))
    text = _ACTIVE.sub("\\g<0>\u200b", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _zone_of(effect: Effect) -> ZoneInfo:
    """The zone in which the customer reads a deadline; UTC if this release does not know it."""
    try:
        return read_tzinfo(effect.timezone or "UTC")
    except (UnknownZoneError, ZoneInfoNotFoundError):
        return read_tzinfo("UTC")
