"""The layout of a stored ticket state: version 2, or version 3 if effects of it wait to be confirmed.

A state is half the size of its plain MessagePack form:

* Names stand apart from the numbers (``stream.sla.ticket.names``).
* Most instants count from the beginning of the first stopwatch.
* Values that few commitments have stand aside.

The parts of a ticket are bytes within the bytes. They are kept until a part changes, and most events change none. What a worker
needs of every ticket when it starts comes first; ``peek`` does not read the rest.

Longer than 250 lines because writing and reading are one layout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from stream.sla.effects import ProvisionalReason
from stream.sla.events import as_one_text
from stream.sla.ticket.commitment_state import CANCELLED, NOT_ADJUSTED, Adjustment, CommitmentState
from stream.sla.ticket.escalation_state import EscalationState
from stream.sla.ticket.history import History, Value
from stream.sla.ticket.names import (
    CommitmentKey,
    LadderKey,
    Names,
    pack_keys,
    pack_names,
    target_keys,
    unpack_keys,
    unpack_names,
)
from stream.sla.ticket.settling import Settling
from stream.sla.ticket.state import OpenCommitment, State, Summary, Ticket, commitment_status, has_ended, is_unmatched
from stream.sla.ticket.stopwatch import Stopwatch, StoredTotals, Stretches, Totals

if TYPE_CHECKING:
    from stream.sla.event_order import Place
    from stream.sla.policy.terms import EscalationTerms

VERSION: Final = b"\x02"
UNCONFIRMED: Final = b"\x03"
"""The version of a state that has more: its unconfirmed effects."""

_Rare = tuple[int | bool | None, ...]
"""Of a commitment: revision (from its effective_from; ``None``: 0), then its adjustment without ``rebase_ran`` if that is 0."""
_Escalation = tuple[int, int, tuple[str, ...], int, int, int, int, int | None, int | None]
"""Of an escalation: cycle, effective_from (from the start), raised (then an empty name and passed_over, where there is any),
phase, last_emitted_at, monitored_until, repeats, rounds (from last_emitted_at; ``None``: 0), next."""
_More = tuple[
    list[int],
    list[Stretches],
    list[int | None],
    dict[int, tuple[str, ...]],
    dict[int, _Rare],
    list[_Escalation],
    dict[int, StoredTotals],
]
"""Cycle and since (from the start) of each stopwatch, then cycle and effective_from (from the start) of each commitment; ran
and paused of each stopwatch; next of each commitment (``_AS_DUE``); warned and the rare parts of commitments by their number;
escalations; totals of stopwatches by their number."""
_Parts = tuple[int, bytes, list[int], list[int | None], _More]
"""Their start (of the first stopwatch), their keys; phase and began (from the start) of each stopwatch, then the verdict of
each commitment; due of each commitment; and what ``peek`` does not read."""
_Last = tuple[int, int, str, str | None]
"""Of the place of the newest event, without its instant: precedence, seq, id, source (``None``: the history's)."""
_Head = tuple[int | None, int | None, str, bool, bytes, list[Value], bytes]
"""Of a ticket: next, the instant of its newest event, ended_by, started, names of fields, their values, parts."""
_Tail = tuple[_Last | None, str, tuple[str, ...], int, bool, int | None, int, int | None]
"""Of a ticket: last, id, parties, ended_at, partial, last_timer_at, deployment, whole_at (from the instant at which the present
cycle of its first stopwatch began)."""
_Settling = tuple[int, int, int, int, int | None]
"""Of a state: its settling, and next of its head."""
_Rest = tuple[_Tail, bytes, int, str, tuple[_Head, _Tail] | None, tuple[str, ...], dict[str, int], _Settling | None]
"""Of a state: its head's late part, its history (packed, kept, source), base, old_ids, revisions, settling."""

_AS_DUE: Final = -1
_write: Final = msgspec.msgpack.Encoder().encode
_read: Final = msgspec.msgpack.Decoder(tuple[_Head, _Rest]).decode
_read_parts: Final = msgspec.msgpack.Decoder(_Parts).decode
_read_more: Final = msgspec.msgpack.Decoder(tuple[_Head, _Rest, dict[str, tuple[int, ProvisionalReason]]]).decode
_peek: Final = msgspec.msgpack.Decoder(tuple[_Head, msgspec.Raw]).decode
_peek_more: Final = msgspec.msgpack.Decoder(tuple[_Head, msgspec.Raw, msgspec.Raw]).decode
_peek_at_parts: Final = msgspec.msgpack.Decoder(tuple[int, bytes, list[int], list[int | None], msgspec.Raw]).decode


def encode(state: State) -> bytes:
    recent, base = state.recent, state.base
    head_part, tail = _head_and_tail(state.head, recent.source)
    before = None if base is None else _head_and_tail(base, recent.source)
    settling: _Settling | None = None
    if state.settling is not None:
        until, deployment, arrived, settles_at = state.settling
        settling = (until, deployment, arrived, settles_at, state.head.next)
        wake_at = state.wake_at
        # ``peek`` takes the instant of the next wake-up from the head, and does not read the settling.
        head_part = (None if wake_at is None else wake_at - 1, *head_part[1:])
    rest = (tail, recent.packed, recent.kept, recent.source, before, state.old_ids, state.revisions, settling)
    if state.unconfirmed:
        return UNCONFIRMED + _write((head_part, rest, dict(sorted(state.unconfirmed.items()))))
    return VERSION + _write((head_part, rest))


def decode(data: bytes) -> State:
    """``data`` with its version. Raises msgspec.DecodeError and IndexError."""
    unconfirmed: dict[str, tuple[int, ProvisionalReason]] = {}
    if data[:1] == UNCONFIRMED:
        head_part, rest, unconfirmed = _read_more(data[1:])
    else:
        head_part, rest = _read(data[1:])
    tail, packed, kept, source, base, old_ids, revisions, settled_later = rest
    head = _ticket(head_part, tail, source)
    settling: Settling | None = None
    if settled_later is not None:
        until, deployment, arrived, settles_at, head.next = settled_later
        settling = Settling(until, deployment, arrived, settles_at)
    newest = head_part[1] if kept else None
    recent = History(packed, kept, 0 if newest is None else newest, source)
    before = None if base is None else _ticket(base[0], base[1], source)
    return State(head, recent, before, old_ids, revisions, settling, unconfirmed)


def peek(data: bytes) -> Summary:
    """``data`` with its version. Raises msgspec.DecodeError and IndexError."""
    head_part = _peek_more(data[1:])[0] if data[:1] == UNCONFIRMED else _peek(data[1:])[0]
    soonest, newest, ended_by, started, packed, values, parts = head_part
    names = unpack_names(packed)
    start, keys, numbers, dues, _ = _peek_at_parts(parts)
    verdicts = len(numbers) - len(dues)
    open_: list[OpenCommitment] = []
    with_target = 0
    for name, policy, number, watch in target_keys(keys):
        verdict = numbers[verdicts + number]
        if verdict != CANCELLED:
            with_target += 1
        going = commitment_status(True, verdict, numbers[2 * watch])
        if going:
            if not open_:
                priority, team = _value("priority", names, values), _value("team", names, values)
                customer = _value("customer", names, values)
            began = start + numbers[2 * watch + 1]
            open_.append(OpenCommitment(name, policy, priority, team, customer, going, dues[number], began))
    ended = has_ended(soonest, ended_by, _value("status", names, values)) or not (started or soonest is not None or open_)
    unmatched = is_unmatched(with_target, ended_by, _value("status", names, values))
    return Summary(
        None if soonest is None else soonest + 1, newest if ended else None, open_, unmatched, ended and ended_by == "deleted"
    )


def _value(name: str, names: Names, values: list[Value]) -> str:
    return as_one_text(values[names.index(name)]) if name in names else ""


def _head_and_tail(ticket: Ticket, source: str) -> tuple[_Head, _Tail]:
    parts = ticket.stored
    if parts is None:
        parts = ticket.stored = _parts(ticket)
    at: int | None = None
    last: _Last | None = None
    if ticket.last is not None:
        at, precedence, seq, id_, event_source = ticket.last
        last = (precedence, seq, id_, None if event_source == source else event_source)
    fields = ticket.fields
    head_part = (ticket.next, at, ticket.ended_by, ticket.started, pack_names(tuple(fields)), list(fields.values()), parts)
    whole_at = ticket.whole_at
    if whole_at is not None:
        for watch in ticket.watches.values():
            whole_at -= watch.began
            break
    return head_part, (
        last,
        ticket.id,
        ticket.parties,
        ticket.ended_at,
        ticket.partial,
        ticket.last_timer_at,
        ticket.deployment,
        whole_at,
    )


def _parts(ticket: Ticket) -> bytes:
    watches, metrics = ticket.watches, tuple(ticket.watches)
    terms: list[CommitmentKey] = []
    stood: list[LadderKey] = []
    start = watches[metrics[0]].began if metrics else 0
    numbers: list[int] = []
    more: list[int] = []
    stretches: list[Stretches] = []
    totals: dict[int, StoredTotals] = {}
    for watch in watches.values():
        numbers += (watch.phase, watch.began - start)
        more += (watch.cycle, watch.since - start)
        if watch.totals is not None:
            totals[len(stretches) // 2] = watch.totals
        stretches += (watch.ran, watch.paused)
    dues: list[int | None] = []
    nexts: list[int | None] = []
    warned: dict[int, tuple[str, ...]] = {}
    rare: dict[int, _Rare] = {}
    for name, commitment_state in ticket.commitments.items():
        terms.append((name, commitment_state.terms))
        numbers.append(commitment_state.verdict)
        more += (commitment_state.cycle, commitment_state.effective_from - start)
        due, soonest = commitment_state.due, commitment_state.next
        nexts.append(_AS_DUE if soonest == due else soonest)
        if commitment_state.warned:
            warned[len(dues)] = commitment_state.warned
        revision = commitment_state.revision
        if revision or commitment_state.adjustment is not None:
            # A target mostly takes hold when it is set.
            since = revision - commitment_state.effective_from if revision else None
            adjusted = commitment_state.adjusted
            rare[len(dues)] = (since, *(adjusted if adjusted.rebase_ran else adjusted[:-1]))
        dues.append(due)
    escalations: list[_Escalation] = []
    for name, escalation_state in ticket.escalations.items():
        stood.append((name, escalation_state.terms))
        escalations.append(_escalation(escalation_state, start))
    keys = pack_keys((metrics, tuple(terms), tuple(stood)))
    return _write((start, keys, numbers, dues, (more, stretches, nexts, warned, rare, escalations, totals)))


def _escalation(escalation_state: EscalationState, start: int) -> _Escalation:
    rounds, last_emitted_at = escalation_state.rounds, escalation_state.last_emitted_at
    passed_over = escalation_state.passed_over
    return (
        escalation_state.cycle,
        escalation_state.effective_from - start,
        (*escalation_state.raised, "", *passed_over) if passed_over else escalation_state.raised,
        escalation_state.phase,
        last_emitted_at,
        escalation_state.monitored_until,
        escalation_state.repeats,
        rounds - last_emitted_at if rounds else None,  # most rounds begin with an effect
        escalation_state.next,
    )


def _escalation_state(terms: EscalationTerms, stored: _Escalation, start: int) -> EscalationState:
    cycle, effective_from, raised, phase, last_emitted_at, monitored_until, repeats, rounds, soon = stored
    escalation_state = EscalationState(terms, cycle)
    escalation_state.effective_from = start + effective_from
    if "" in raised:
        end = raised.index("")
        raised, escalation_state.passed_over = raised[:end], raised[end + 1 :]
    escalation_state.raised = raised
    escalation_state.phase = phase
    escalation_state.last_emitted_at = last_emitted_at
    escalation_state.monitored_until = monitored_until
    escalation_state.repeats = repeats
    escalation_state.rounds = 0 if rounds is None else last_emitted_at + rounds
    escalation_state.next = soon
    return escalation_state


def _add_rare(commitments: list[CommitmentState], warned: dict[int, tuple[str, ...]], rare: dict[int, _Rare]) -> None:
    for number, thresholds in warned.items():
        commitments[number].warned = thresholds
    for number, (revision, *adjustment) in rare.items():
        commitment_state = commitments[number]
        commitment_state.revision = 0 if revision is None else commitment_state.effective_from + revision
        adjusted = Adjustment(*adjustment)  # type: ignore[arg-type]  # the layout has them in order
        commitment_state.adjustment = None if adjusted == NOT_ADJUSTED else adjusted


def _ticket(head_part: _Head, tail: _Tail, source: str) -> Ticket:
    soonest, newest, ended_by, started, names, values, parts = head_part
    last, id_, parties, ended_at, partial, last_timer_at, deployment, whole_at = tail
    start, keys, numbers, dues, (more, stretches, nexts, warned, rare, stored, totals) = _read_parts(parts)
    metrics, keyed_commitments, keyed_ladders = unpack_keys(keys)
    watches: dict[str, Stopwatch] = {}
    at = 0
    for metric in metrics:
        odd = at + 1
        watches[metric] = Stopwatch(
            numbers[at], more[at], start + numbers[odd], start + more[odd], stretches[at], stretches[odd]
        )
        at += 2
    for number, added_up in totals.items():
        watches[metrics[number]].totals = Totals(*added_up)
    commitments: dict[str, CommitmentState] = {}
    first = at
    for number, (name, terms) in enumerate(keyed_commitments):
        due, soon = dues[number], nexts[number]
        if soon == _AS_DUE:
            soon = due
        commitments[name] = CommitmentState(terms, more[at], numbers[first + number], 0, start + more[at + 1], due, soon)
        at += 2
    if warned or rare:
        _add_rare(list(commitments.values()), warned, rare)
    escalations: dict[str, EscalationState] = {}
    for number, (name, ladder_terms) in enumerate(keyed_ladders):
        escalations[name] = _escalation_state(ladder_terms, stored[number], start)
    fields = dict(zip(unpack_names(names), values))  # noqa: B905  the keyword takes half as long as the rest
    place: Place | None = None
    if last is not None and newest is not None:
        precedence, seq, event_id, event_source = last
        place = (newest, precedence, seq, event_id, source if event_source is None else event_source)
    ticket = Ticket(
        id_,
        fields,
        watches,
        commitments,
        escalations,
        parties,
        started,
        partial,
        ended_by,
        ended_at,
        place,
        last_timer_at,
        soonest,
        deployment,
        None if whole_at is None else start + whole_at,
    )
    ticket.stored = parts
    return ticket
