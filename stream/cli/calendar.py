"""``breachwatch calendar``: shows when something is due, how much time has passed, and whether a calendar is open."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

import click

from stream.cli.options import policies_option
from stream.cli.subcommands import Group
from stream.documents.document import PolicyError
from stream.language.policies import ALWAYS_OPEN, load
from stream.observe.pages.phrasing import delay, length, milliseconds
from stream.sla.calendar.calendar import CalendarRangeError
from stream.sla.calendar.duration import NEVER, Clock, Duration, DurationError
from stream.sla.calendar.week import StretchKind
from stream.sla.calendar.zone import DAY, EPOCH
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.sla.calendar.calendar import Calendar, Stretch

_TO_SECONDS: Final = len("2026-11-20 16:30:00")
_MICRO: Final = timedelta(microseconds=1)
_MAX_DAYS: Final = 3660


@click.group(cls=Group)
def command() -> None:
    """Query a calendar of a policy file: due times, elapsed business time, opening hours.

    Write instants in ISO 8601. An instant without an offset is in the time zone of the calendar.
    """


def _common(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option(
            "--calendar", "name", help="Name of the calendar; required if the files define several. 24x7 always exists."
        ),
        policies_option,
    ):
        function = option(function)
    return function


@command.command()
@_common
@click.option("--from", "start_text", required=True, metavar="INSTANT", help="Start of the clock.")
@click.argument("duration")
def due(policies: tuple[str, ...], name: str | None, as_json: bool, start_text: str, duration: str) -> None:
    """Show when DURATION (such as 4bh, 30m or "+1 business day at 16:00") ends, and which stretches of time count."""
    calendar = _load(policies, name)
    start = _instant(calendar, start_text, "--from")
    try:
        amount = Duration.parse_any(duration).resolve(calendar, start)
        business = amount.clock is Clock.BUSINESS
        end = calendar.after(start, amount.micros) if business else start + amount.micros
        end = None if end is None else max(end, amount.not_before)
        if end is None:
            never = (
                "comes: `{}` has no such business day"
                if amount.micros == NEVER
                else "passes: `{}` is not open that long any more"
            )
            raise click.UsageError(f"{duration} never {never.format(calendar.name)}")
        stretches = calendar.stretches(start, end)
    except (DurationError, CalendarRangeError) as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        _print_json(
            calendar,
            {"from": start, "due": end},
            {"duration": duration, "clock": amount.clock.value, "target_seconds": _seconds(amount.micros)},
            stretches,
        )
        return
    _print_head(calendar, {"from": start, "due": end})
    which = "business time" if business else "wall time, which counts closed hours too"
    if duration.startswith("+"):
        click.echo(f"meaning   {delay(duration)}")
    click.echo(f"spent     {duration} = {length(amount.micros)} of {which}")
    _print_stretches(calendar, stretches)


@command.command()
@_common
@click.option("--from", "start_text", required=True, metavar="INSTANT", help="Start of the interval.")
@click.option("--to", "end_text", required=True, metavar="INSTANT", help="End of the interval.")
def elapsed(policies: tuple[str, ...], name: str | None, as_json: bool, start_text: str, end_text: str) -> None:
    """Show the business time and the wall time between two instants."""
    calendar = _load(policies, name)
    start, end = _instant(calendar, start_text, "--from"), _instant(calendar, end_text, "--to")
    if end < start:
        raise click.UsageError("--to is before --from: swap them")
    business, stretches = calendar.measure(start, end), calendar.stretches(start, end)
    if as_json:
        lengths = {"business_seconds": _seconds(business), "wall_seconds": _seconds(end - start)}
        _print_json(calendar, {"from": start, "to": end}, lengths, stretches)
        return
    _print_head(calendar, {"from": start, "to": end})
    click.echo(f"business  {length(business)}\nwall      {length(end - start)}")
    _print_stretches(calendar, stretches)


@command.command(name="open")
@_common
@click.option("--at", "at_text", required=True, metavar="INSTANT", help="Instant to query.")
@click.option("--days", type=click.IntRange(1, _MAX_DAYS), default=7, show_default=True, help="Number of days to list.")
def open_(policies: tuple[str, ...], name: str | None, as_json: bool, at_text: str, days: int) -> None:
    """Show whether the calendar is open, the reason, and the next change."""
    calendar = _load(policies, name)
    at = _instant(calendar, at_text, "--at")
    try:
        stretches = calendar.stretches(at, at + days * DAY)
        now_open, change = calendar.is_open(at), calendar.next_change(at)
    except CalendarRangeError as error:
        raise click.UsageError(str(error)) from None
    why = stretches[0]
    if as_json:
        answer = {"open": now_open, "kind": why.kind.value, "note": why.note}
        _print_json(calendar, {"at": at, "next_change": change}, answer, stretches)
        return
    _print_head(calendar, {"at": at})
    click.echo(f"then      {why.kind}{f' ({why.note})' if why.note else ''}")
    word = "closes" if now_open else "opens"
    click.echo(f"{word:<9} {_both(calendar, change) if change is not None else 'never'}")
    _print_stretches(calendar, stretches)


def _load(names: tuple[str, ...], name: str | None) -> Calendar:
    """Return the named calendar. The files are checked as a worker checks them: any error ends the command with status 2."""
    try:
        found = load(names).calendars
    except PolicyError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        raise SystemExit(2) from error
    if name is None:
        own = [key for key in found if key != ALWAYS_OPEN] or [ALWAYS_OPEN]
        if len(own) > 1:
            raise click.UsageError(f"the files define several calendars: choose one with --calendar: {', '.join(own)}")
        name = own[0]
    if name not in found:
        raise click.UsageError(f"unknown calendar {name!r}: choose one of {', '.join(found)}")
    return found[name]


def _instant(calendar: Calendar, text: str, option: str) -> int:
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{option} {text!r} is not an instant: write it as 2026-11-20T16:30") from None
    if given.tzinfo is not None:
        instant = (given - EPOCH) // _MICRO
    else:
        readings = calendar.zone.instants_of((given.replace(tzinfo=UTC) - EPOCH) // _MICRO)
        if not readings:
            raise click.UsageError(
                f"{option} {text} does not exist in {calendar.timezone}: the clocks skipped it; choose another or add an offset"
            )
        instant = readings[0]
        if len(readings) > 1:
            first, second = (_local(calendar, reading) for reading in readings)
            click.echo(f"note: {option} {text} occurs twice: using {first}, not {second}; add an offset to choose", err=True)
    try:
        calendar.measure(instant, instant)
    except CalendarRangeError as error:
        raise click.UsageError(f"{option}: {error}") from None
    return instant


def _print_json(calendar: Calendar, instants: dict[str, int | None], answer: dict[str, Any], stretches: list[Stretch]) -> None:
    out: dict[str, Any] = {"calendar": calendar.name, "timezone": calendar.timezone}
    out |= {key: None if value is None else _instant_json(calendar, value) for key, value in instants.items()}
    out |= answer
    out["stretches"] = [
        {
            "start": _instant_json(calendar, start),
            "end": _instant_json(calendar, end),
            "kind": kind.value,
            "note": note,
            "seconds": _seconds(end - start),
        }
        for start, end, kind, note in stretches
    ]
    click.echo(json.dumps(out, indent=2, ensure_ascii=False))


def _print_head(calendar: Calendar, instants: dict[str, int]) -> None:
    click.echo(f"calendar  {calendar.name} ({calendar.timezone})")
    for word, instant in instants.items():
        click.echo(f"{word:<9} {_both(calendar, instant)}")


def _print_stretches(calendar: Calendar, stretches: list[Stretch]) -> None:
    click.echo()
    for start, end, kind, note in stretches:
        line = f"{_local(calendar, start)}  to  {_local(calendar, end)}  {length(end - start):>12}  {kind:<8}{note}"
        click.echo(click.style(line.rstrip(), bold=kind is StretchKind.OPEN))


def _when(calendar: Calendar, instant: int) -> datetime:
    offset = timedelta(microseconds=calendar.zone.offset_at(instant))
    return (EPOCH + timedelta(microseconds=instant)).astimezone(timezone(offset))


def _local(calendar: Calendar, instant: int) -> str:
    when = _when(calendar, instant)
    text = when.isoformat(sep=" ", timespec="seconds")
    return f"{when:%a} {text[:_TO_SECONDS]}{milliseconds(when.microsecond)}{text[_TO_SECONDS:]}"


def _both(calendar: Calendar, instant: int) -> str:
    return f"{_local(calendar, instant)}  =  {format_instant(instant - instant % 1_000)}"


def _instant_json(calendar: Calendar, instant: int) -> dict[str, str]:
    return {"local": _when(calendar, instant).isoformat(), "utc": format_instant(instant)}


def _seconds(micros: int) -> int | float:
    return micros // 1_000_000 if micros % 1_000_000 == 0 else micros / 1_000_000
