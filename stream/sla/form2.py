"""The second form of a ticket's state: what a worker writes.

Half the bytes of the first, for its time or less: names stand apart (``stream.sla.vocabulary``), instants that are mostly that
of the ticket's beginning count from there, what hardly any commitment has stands aside, and the fields that are as they were
when the ticket was opened are not said again. What a worker asks of all tickets at its start comes first: ``look`` reads no more.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stream.sla.commitment import Pledge
from stream.sla.escalation import Climb
from stream.sla.history import History
from stream.sla.history import Value as Value  # noqa: PLC0414  msgspec looks for it here
from stream.sla.stopwatch import Stopwatch, Stretches
from stream.sla.ticket import Look, Standing, State, Ticket, ended, standing
from stream.sla.vocabulary import Stand, Terms, pack_frame, pack_names, unpack_frame, unpack_names

MARK: Final = b"\x02"

_Fields = tuple[bytes, list[Value]]
"""Names and values."""
_Watch = tuple[int, int, int, int, Stretches, Stretches]
"""Phase, cycle, began, since (both from the ticket's start), ran, paused."""
_Pledge = tuple[int, int, int, int | None, int | None, tuple[str, ...]]
"""Verdict, cycle, floor (from the ticket's start), due, next (0: as due), warned."""
_Rare = tuple[int, int | None, int | None, int, int, int, int]
"""Of a pledge: turn, counts_from, cut_from, base, extension, cut_elapsed, cut_paused."""
_Climb = tuple[int, int, tuple[str, ...], int, int, int, int, int, int | None]
"""Cycle, floor (from the ticket's start), raised, holding, said, watched_until, repeats, turn, next."""
_Last = tuple[int, int, str, str | None]
"""Of the key of the newest event: instant, seq, id, source (``None``: the history's)."""
_Early = tuple[int | None, _Last | None, str, int, bytes, bytes, list[Value | None], list[_Watch], list[_Pledge]]
"""Of a ticket: next, last, gone, start (of its first stopwatch: others count from there), frame, names of fields, their values
(``None``: as it was opened), stopwatches, pledges."""
_Late = tuple[str, list[_Climb], dict[int, _Rare], tuple[str, ...], bool, bool, int | None]
"""Of a ticket: id, climbs, the rare parts of pledges by their number, parties, begun, partial, fired."""
_Rest = tuple[_Late, bytes, int, str, tuple[_Early, _Late] | None, tuple[str, ...], dict[str, int]]
"""Of a state: its head's late part, the history (packed, kept, source), base, old_ids, revisions."""

_NO_FIELDS: Final[dict[str, Value]] = {}
_write: Final = msgspec.msgpack.Encoder().encode
_read: Final = msgspec.msgpack.Decoder(tuple[_Fields | None, _Early, _Rest]).decode
_look: Final = msgspec.msgpack.Decoder(tuple[_Fields | None, _Early, msgspec.Raw]).decode


def encode(state: State) -> bytes:
    recent, base = state.recent, state.base
    opened = recent.opened
    early, late = _parts(state.head, opened or _NO_FIELDS, recent.source)
    rest = (
        late,
        recent.packed,
        recent.kept,
        recent.source,
        None if base is None else _parts(base, _NO_FIELDS, recent.source),
        state.old_ids,
        state.revisions,
    )
    return MARK + _write((None if opened is None else (pack_names(tuple(opened)), [*opened.values()]), early, rest))


def decode(data: bytes) -> State:
    """``data`` with its mark. Raises msgspec.DecodeError, ValueError and IndexError."""
    fields, early, (late, packed, kept, source, base, old_ids, revisions) = _read(memoryview(data)[1:])
    opened = None if fields is None else dict(zip(unpack_names(fields[0]), fields[1], strict=True))
    head = _ticket(early, late, opened or _NO_FIELDS, source)
    newest = 0 if head.last is None or not kept else head.last[0]
    recent = History(packed, kept, newest, source, opened)
    return State(head, recent, None if base is None else _ticket(*base, _NO_FIELDS, source), old_ids, revisions)


def look(data: bytes) -> Look:
    """``data`` with its mark. Raises msgspec.DecodeError, ValueError and IndexError."""
    stored, (soonest, last, gone, start, frame, names, values, watches, pledges), _ = _look(memoryview(data)[1:])
    opened = _NO_FIELDS if stored is None else dict(zip(unpack_names(stored[0]), stored[1], strict=True))
    fields = _fields(names, values, opened)
    rows, commitments, _ = unpack_frame(frame)
    running = dict(zip(rows, watches, strict=True))
    open_: list[Standing] = []
    for (name, policy, _, row, _, _, target), (verdict, _, _, due, _, _) in zip(commitments, pledges, strict=True):
        watch = running.get(row)
        if watch is not None:
            stand = standing(name, policy, fields, target, verdict, due, watch[0], start + watch[2])
            if stand is not None:
                open_.append(stand)
    at = None if last is None else last[0]
    return Look(None if soonest is None else soonest + 1, ended(soonest, gone, fields, at), open_)


def _fields(names: bytes, values: list[Value | None], opened: dict[str, Value]) -> dict[str, Value]:
    return {
        name: opened[name] if value is None else value for name, value in zip(unpack_names(names), values, strict=True)
    }


def _parts(ticket: Ticket, opened: dict[str, Value], source: str) -> tuple[_Early, _Late]:
    start = 0
    for watch in ticket.watches.values():
        start = watch.began
        break
    watches: list[_Watch] = [
        (watch.phase, watch.cycle, watch.began - start, watch.since - start, watch.ran, watch.paused)
        for watch in ticket.watches.values()
    ]
    terms: list[Terms] = []
    pledges: list[_Pledge] = []
    rare: dict[int, _Rare] = {}
    for name, pledge in ticket.pledges.items():
        due, soonest = pledge.due, pledge.next
        terms.append(
            (name, pledge.policy, pledge.version, pledge.row, pledge.calendar, pledge.business, pledge.target)
        )
        if (
            pledge.turn
            or pledge.extension
            or pledge.base
            or pledge.cut_elapsed
            or pledge.cut_paused
            or pledge.counts_from is not None
            or pledge.cut_from is not None
        ):
            rare[len(pledges)] = (
                pledge.turn,
                pledge.counts_from,
                pledge.cut_from,
                pledge.base,
                pledge.extension,
                pledge.cut_elapsed,
                pledge.cut_paused,
            )
        pledges.append(
            (pledge.verdict, pledge.cycle, pledge.floor - start, due, 0 if soonest == due else soonest, pledge.warned)
        )
    stands: list[Stand] = []
    climbs: list[_Climb] = []
    for name, climb in ticket.climbs.items():
        stands.append((name, climb.policy, climb.version, climb.row))
        climbs.append(
            (
                climb.cycle,
                climb.floor - start,
                climb.raised,
                climb.holding,
                climb.said,
                climb.watched_until,
                climb.repeats,
                climb.turn,
                climb.next,
            )
        )
    last: _Last | None = None
    if ticket.last is not None:
        at, seq, id_, its = ticket.last
        last = (at, seq, id_, None if its == source else its)
    fields = ticket.fields
    values = [None if opened.get(name) == value else value for name, value in fields.items()]
    early = (
        ticket.next,
        last,
        ticket.gone,
        start,
        pack_frame((tuple(ticket.watches), tuple(terms), tuple(stands))),
        pack_names(tuple(fields)),
        values,
        watches,
        pledges,
    )
    return early, (ticket.id, climbs, rare, ticket.parties, ticket.begun, ticket.partial, ticket.fired)


def _ticket(early: _Early, late: _Late, opened: dict[str, Value], source: str) -> Ticket:
    soonest, last, gone, start, frame, names, values, watches, pledges = early
    id_, climbs, rare, parties, begun, partial, fired = late
    rows, commitments, ladders = unpack_frame(frame)
    key: tuple[int, int, str, str] | None = None
    if last is not None:
        at, seq, newest, its = last
        key = (at, seq, newest, source if its is None else its)
    held = {}
    for row, (phase, cycle, began, since, ran, paused) in zip(rows, watches, strict=True):
        held[row] = Stopwatch(phase, cycle, start + began, start + since, ran, paused)
    promised = {}
    for terms, numbers in zip(commitments, pledges, strict=True):
        name, policy, version, row, calendar, business, target = terms
        verdict, cycle, floor, due, next_, warned = numbers
        pledge = Pledge(
            policy, version, row, cycle, verdict, 0, start + floor, business, target,
            calendar=calendar, warned=warned, due=due, next=due if next_ == 0 else next_,
        )  # fmt: skip
        promised[name] = pledge
    if rare:
        names_ = [*promised]
        for number, parts in rare.items():
            pledge = promised[names_[number]]
            (
                pledge.turn,
                pledge.counts_from,
                pledge.cut_from,
                pledge.base,
                pledge.extension,
                pledge.cut_elapsed,
                pledge.cut_paused,
            ) = parts
    climbing = {}
    for (name, policy, version, row), parts_ in zip(ladders, climbs, strict=True):
        cycle, floor, raised, holding, said, until, repeats, turn, next_ = parts_
        climbing[name] = Climb(policy, version, row, cycle, start + floor, raised, holding, said, until, repeats, turn, next_)
    fields = _fields(names, values, opened)
    return Ticket(
        id_, fields, held, promised, climbing, parties, begun, partial, gone, key, fired, soonest
    )
