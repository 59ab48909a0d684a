"""Formats effects and dead letters as lines for a terminal."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click

from stream.cli import completing
from stream.language.zones import UnknownZoneError, read_tzinfo
from stream.observe.pages.phrasing import length
from stream.sla.calendar.zone import EPOCH
from stream.sla.effects import Kind
from stream.wire.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo
    from typing import Any, TypeVar

    from stream.sla.effects import Effect

    Command = TypeVar("Command", bound="Callable[..., Any]")

_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_LOCAL: Final = "local"

_STYLES: Final[dict[Kind, dict[str, Any]]] = {
    Kind.WARNED: {"fg": "yellow"},
    Kind.BREACHED: {"fg": "red", "bold": True},
    Kind.MET: {"fg": "green"},
    Kind.MET_LATE: {"fg": "red"},
    Kind.EXTENSION_REFUSED: {"fg": "yellow"},
    Kind.ELAPSED: {"fg": "yellow"},
    Kind.BREACH_RETRACTED: {"fg": "cyan", "bold": True},
    Kind.RETRACTED: {"fg": "cyan"},
    Kind.RAISED: {"fg": "magenta", "bold": True},
    Kind.REPEATED: {"fg": "magenta"},
    Kind.RECURRED: {"fg": "magenta", "bold": True},
    Kind.ACKNOWLEDGED: {"fg": "green"},
    Kind.REFUSED: {"fg": "yellow"},
    Kind.ESCALATION_RETRACTED: {"fg": "cyan", "bold": True},
}
"""Kinds without a row have no colour; routine effects are dim."""


class LocalTime:
    """Writes instants in the zone of the reader."""

    def __init__(self, zone: tzinfo | None) -> None:
        """``zone``: ``None`` is the zone of this machine."""
        self._zone: Final = zone

    def __call__(self, instant: int) -> str:
        """Epoch microseconds as ``Mon 2026-03-09 09:30:00 IST``."""
        moment = (EPOCH + timedelta(microseconds=instant)).astimezone(self._zone)
        return f"{moment:%a %Y-%m-%d %H:%M:%S} {moment:%Z}"


def zone_option(command: Command) -> Command:
    """Add ``--zone`` to a click command. It receives a LocalTime."""
    return click.option(
        "--zone",
        "clock",
        callback=_clock,
        default=_LOCAL,
        show_default=True,
        shell_complete=completing.zones,
        help="Show times in this IANA zone, such as Asia/Kolkata; local is the zone of this machine.",
    )(command)


def _clock(_context: click.Context, _option: click.Parameter, name: str) -> LocalTime:
    try:
        return LocalTime(None if name == _LOCAL else read_tzinfo(name))
    except UnknownZoneError as error:
        raise click.BadParameter(f"{name!r} is not an IANA time zone: use one such as Asia/Kolkata, or local") from error


def effect_line(effect: Effect, clock: LocalTime, *, colour: bool) -> str:
    """One line: when, what, which ticket, the commitment or ladder, the deadline, and why."""
    word = effect.kind.partition(".")[2].replace("_", " ")
    cells = [
        clock(effect.at),
        click.style(f"{word:15}", **_style(effect)) if colour else f"{word:15}",
        printable(effect.ticket),
        *map(printable, filter(None, (_about(effect), _subject(effect)))),
        *_details(effect, clock),
    ]
    return "  ".join(cells)


def _style(effect: Effect) -> dict[str, Any]:
    return {"dim": True} if effect.routine else _STYLES.get(effect.kind, {})


def _about(effect: Effect) -> str:
    values = (effect.fields.get(name, "") for name in ("priority", "customer"))
    return " ".join(value if isinstance(value, str) else ",".join(value) for value in values if value)


def _subject(effect: Effect) -> str:
    return " ".join(filter(None, (effect.commitment, effect.ladder, effect.level)))


def _details(effect: Effect, clock: LocalTime) -> Iterator[str]:
    if effect.due_at is not None:
        yield f"due {clock(effect.due_at)}"
    if effect.allowed_from is not None:
        yield f"allowed from {clock(effect.allowed_from)}"
    if effect.assign_to:
        yield f"assigned to {printable(effect.assign_to)}"
    if effect.notify:
        yield f"notify {printable(', '.join(effect.notify))}"
    yield effect.reason
    if effect.retracts:
        yield f"takes back {effect.retracts_kind or ''} {effect.retracts}"
    if (later := effect.detected_at - effect.at) > _MINUTE:
        yield f"detected {length(later - later % _SECOND)} later"
    if effect.late:
        yield "late"
    if effect.provisional:
        yield f"provisional ({effect.provisional_reason or 'unknown'})"
