"""The second form of a ticket's state: what a worker writes.

Half the bytes of the first: names stand apart (``stream.sla.vocabulary``), instants that are mostly that of the ticket's
beginning count from there, what hardly any commitment has stands aside, and fields that are as they were when the ticket was
opened are not said again. The parts of a ticket are bytes within the bytes, kept as long as they do not change: most events
change none. What is asked of all tickets at a worker's start stands before the rest, which ``look`` does not read.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stream.sla.commitment import Pledge
from stream.sla.escalation import Climb
from stream.sla.history import Fields, History, Named, Value
from stream.sla.stopwatch import Stopwatch, Stretches
from stream.sla.ticket import Key, Look, Standing, State, Ticket, Told, has_ended, stands
from stream.sla.vocabulary import Names, Stand, Terms, pack_frame, pack_names, unpack_frame, unpack_names

MARK: Final = b"\x02"

_Rare = tuple[int, int | None, int | None, int, int, int, int]
"""Of a pledge: turn, counts_from, cut_from, base, extension, cut_elapsed, cut_paused."""
_Climb = tuple[int, int, tuple[str, ...], int, int, int, int, int, int | None]
"""Of a climb: the arguments of ``Climb`` from ``cycle`` on."""
_More = tuple[list[int], list[Stretches], list[int | None], dict[int, tuple[str, ...]], dict[int, _Rare], list[_Climb]]
"""Cycle and since (from the start) of each stopwatch, then cycle and floor (from the start) of each pledge; ran and paused of
each stopwatch; next of each pledge (0: as due); warned and the rare parts of pledges by their number; climbs."""
_Parts = tuple[int, bytes, list[int], list[int | None], _More]
"""Their start (of the first stopwatch), their frame; phase and began (from the start) of each stopwatch, then the verdict of
each pledge; due of each pledge; and what ``look`` does not read."""
_Last = tuple[int, str, str | None]
"""Of the key of the newest event, without its instant: seq, id, source (``None``: the history's)."""
_Early = tuple[int | None, int | None, str, bool, bytes, list[Value], bytes]
"""Of a ticket: next, the instant of its newest event, gone; whether its fields are those it was opened with but for these,
names and values; parts."""
_Late = tuple[_Last | None, str, tuple[str, ...], bool, bool, int | None]
"""Of a ticket: last, id, parties, begun, partial, fired."""
_Rest = tuple[_Late, bytes, int, str, tuple[_Early, _Late] | None, tuple[str, ...], dict[str, int]]
"""Of a state: its head's late part, its history (packed, kept, source), base, old_ids, revisions."""

_USUAL: Final[_Rare] = (0, None, None, 0, 0, 0, 0)
_write: Final = msgspec.msgpack.Encoder().encode
_read: Final = msgspec.msgpack.Decoder(tuple[_Early, Named | None, _Rest]).decode
_read_parts: Final = msgspec.msgpack.Decoder(_Parts).decode
_look: Final = msgspec.msgpack.Decoder(tuple[_Early, Named | None, msgspec.Raw]).decode
_look_at_parts: Final = msgspec.msgpack.Decoder(tuple[int, bytes, list[int], list[int | None], msgspec.Raw]).decode


def encode(state: State) -> bytes:
    recent, base = state.recent, state.base
    early, late = _told(state.head, recent.opened, recent.source)
    before = None if base is None else _told(base, None, recent.source)
    rest = (late, recent.packed, recent.kept, recent.source, before, state.old_ids, state.revisions)
    return MARK + _write((early, recent.opened, rest))


def decode(data: bytes) -> State:
    """``data`` with its mark. Raises msgspec.DecodeError and IndexError."""
    early, opened, (late, packed, kept, source, base, old_ids, revisions) = _read(memoryview(data)[1:])
    head = _ticket(early, late, opened, source)
    newest = early[1] if kept else None
    recent = History(packed, kept, 0 if newest is None else newest, source, opened)
    return State(head, recent, None if base is None else _ticket(base[0], base[1], None, source), old_ids, revisions)


def look(data: bytes) -> Look:
    """``data`` with its mark. Raises msgspec.DecodeError, IndexError and ValueError."""
    (soonest, newest, gone, shared, packed, values, parts), stored, _ = _look(memoryview(data)[1:])
    opened = stored if shared else None
    names = unpack_names(packed)
    priority, team = _value("priority", names, values, opened), _value("team", names, values, opened)
    start, frame, numbers, dues, _ = _look_at_parts(parts)
    rows, commitments, _ = unpack_frame(frame)
    at = 2 * len(rows)
    open_: list[Standing] = []
    for number, (name, policy, _, row, _, _, target) in enumerate(commitments):
        if row in rows:
            on = 2 * rows.index(row)
            going = stands(target is not None, numbers[at + number], numbers[on])
            if going:
                open_.append(Standing(name, policy, priority, team, going, dues[number], start + numbers[on + 1]))
    ended = newest if has_ended(soonest, gone, _value("status", names, values, opened)) else None
    return Look(None if soonest is None else soonest + 1, ended, open_)


def _value(name: str, names: Names, values: list[Value], opened: Named | None) -> str:
    """Of a field, as it is now or as it was when the ticket was opened."""
    if name in names:
        return str(values[names.index(name)])
    if opened is not None:
        before = unpack_names(opened[0])
        if name in before:
            return str(opened[1][before.index(name)])
    return ""


def _told(ticket: Ticket, opened: Named | None, source: str) -> tuple[_Early, _Late]:
    parts = ticket.stored
    if parts is None:
        parts = ticket.stored = _parts(ticket)
    at: int | None = None
    last: _Last | None = None
    if ticket.last is not None:
        at, seq, id_, its = ticket.last
        last = (seq, id_, None if its == source else its)
    told = ticket.told
    if told is None or told[0] is not ticket.fields or told[1] is not opened:
        told = ticket.told = _fields(ticket.fields, opened)
    return (ticket.next, at, ticket.gone, told[2], told[3], told[4], parts), (
        last,
        ticket.id,
        ticket.parties,
        ticket.begun,
        ticket.partial,
        ticket.fired,
    )


def _fields(fields: Fields, opened: Named | None) -> Told:
    shared, some = False, fields
    if opened is not None:
        before = dict(zip(unpack_names(opened[0]), opened[1], strict=True))
        shared = before.keys() <= fields.keys()
        if shared:
            some = {name: value for name, value in fields.items() if before.get(name) != value}
    return fields, opened, shared, pack_names(tuple(some)), [*some.values()]


def _parts(ticket: Ticket) -> bytes:
    watches, rows = ticket.watches, tuple(ticket.watches)
    terms: list[Terms] = []
    stood: list[Stand] = []
    start = watches[rows[0]].began if rows else 0
    numbers: list[int] = []
    more: list[int] = []
    stretches: list[Stretches] = []
    for watch in watches.values():
        numbers += (watch.phase, watch.began - start)
        more += (watch.cycle, watch.since - start)
        stretches += (watch.ran, watch.paused)
    dues: list[int | None] = []
    nexts: list[int | None] = []
    warned: dict[int, tuple[str, ...]] = {}
    rare: dict[int, _Rare] = {}
    for name, pledge in ticket.pledges.items():
        terms.append((name, pledge.policy, pledge.version, pledge.row, pledge.calendar, pledge.business, pledge.target))
        numbers.append(pledge.verdict)
        more += (pledge.cycle, pledge.floor - start)
        due, soonest = pledge.due, pledge.next
        nexts.append(0 if soonest == due else soonest)
        if pledge.warned:
            warned[len(dues)] = pledge.warned
        if (
            pledge.turn
            or pledge.counts_from is not None
            or pledge.cut_from is not None
            or pledge.base
            or pledge.extension
            or pledge.cut_elapsed
            or pledge.cut_paused
        ):
            rare[len(dues)] = _rare(pledge)
        dues.append(due)
    climbs: list[_Climb] = []
    for name, climb in ticket.climbs.items():
        stood.append((name, climb.policy, climb.version, climb.row))
        climbs.append(climb.parts()[3:])
    frame = pack_frame((rows, tuple(terms), tuple(stood)))
    return _write((start, frame, numbers, dues, (more, stretches, nexts, warned, rare, climbs)))


def _rare(pledge: Pledge) -> _Rare:
    return (
        pledge.turn,
        pledge.counts_from,
        pledge.cut_from,
        pledge.base,
        pledge.extension,
        pledge.cut_elapsed,
        pledge.cut_paused,
    )


def _ticket(early: _Early, late: _Late, opened: Named | None, source: str) -> Ticket:
    soonest, newest, gone, shared, names, values, parts = early
    last, id_, held, begun, partial, fired = late
    start, frame, numbers, dues, (more, stretches, nexts, warned, rare, stored) = _read_parts(parts)
    rows, commitments, ladders = unpack_frame(frame)
    watches: dict[str, Stopwatch] = {}
    at = 0
    for row in rows:
        ran, paused = stretches[at], stretches[at + 1]
        watches[row] = Stopwatch(numbers[at], more[at], start + numbers[at + 1], start + more[at + 1], ran, paused)
        at += 2
    pledges: dict[str, Pledge] = {}
    first = at
    for number, (name, policy, version, row, calendar, business, target) in enumerate(commitments):
        due, soon = dues[number], nexts[number]
        verdict, cycle, floor = numbers[first + number], more[at], start + more[at + 1]
        turn, counts_from, cut_from, base, extension, cut_elapsed, cut_paused = rare.get(number, _USUAL) if rare else _USUAL
        pledges[name] = Pledge(
            policy,
            version,
            row,
            cycle,
            verdict,
            turn,
            floor,
            business,
            target,
            counts_from,
            cut_from,
            base,
            extension,
            cut_elapsed,
            cut_paused,
            calendar,
            warned.get(number, ()) if warned else (),
            due,
            due if soon == 0 else soon,
        )
        at += 2
    climbs: dict[str, Climb] = {}
    for number, (name, policy, version, row) in enumerate(ladders):
        climbs[name] = Climb(policy, version, row, *stored[number])
    fields: Fields = {}
    if shared and opened is not None:
        fields.update(zip(unpack_names(opened[0]), opened[1]))  # noqa: B905  a keyword takes half as long as the rest
    fields.update(zip(unpack_names(names), values))  # noqa: B905
    key: Key | None = None
    if last is not None and newest is not None:
        seq, its_id, its = last
        key = (newest, seq, its_id, source if its is None else its)
    ticket = Ticket(id_, fields, watches, pledges, climbs, held, begun, partial, gone, key, fired, soonest)
    ticket.stored, ticket.told = parts, (fields, opened, shared, names, values)
    return ticket
