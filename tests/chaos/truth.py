"""What the input of a run, as it stands in Kafka, must have led to, by the log of deployments as it stands there.

By two ways that know nothing of each other: the slow oracle for the effects that must be emitted and the state of every
commitment, and the pure engine over the same events for the states that workers keep. Both know all deployments from the
beginning. Where policies were deployed, the engine gives also which policy and version an effect must name, and which reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stream.deployments.log import Log, Void
from stream.deployments.record import FIRST
from stream.sla.engine import Engine
from stream.sla.events import ERASURE
from stream.sla.policy.timeline import Deployments
from stream.sla.step import Outcome
from stream.wire.decode import Rejected, Tick, decode
from tests.chaos.pace import MINUTE
from tests.chaos.workload import BAD
from tests.oracle.deployments import Deployment
from tests.oracle.hours import OpenMinutes
from tests.oracle.oracle import ticket_at
from tests.oracle.ticket import Expected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stream.deployments.log import Entry
    from stream.sla.effects import Effect
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.ticket.state import State
    from tests.chaos.recording import Recording
    from tests.oracle.ticket import Ticket

_LATEST = 30 * MINUTE
"""How far ahead of the run's time, at most, a worker's clock can have been set."""
_WHOLE: Final = 10_000
_OUT_OF_ORDER: Final = (Outcome.LATE, Outcome.TOO_LATE)
"""A history that nothing is cut from."""
_WORDS = {"pending": ("running", "paused"), "breached": ("breached", "breached")}

_HOURS: Final[dict[str, OpenMinutes]] = {}
Hours = Mapping[str, OpenMinutes]
OpenState = tuple[str, str, int | None]
"""An open commitment, its state and deadline."""
Detail = tuple[str, Expected, str, str, int, int | None]
"""An effect with what only the engine knows of it: the stem of its id, reason, policy, version, target."""


class Judges(NamedTuple):
    """By what a run is judged."""

    first: PolicySet
    """The policies that workers were given as files."""
    hours: Hours
    """The calendars of these, as the oracle reads them."""
    deployments: Deployments
    oracle_deployments: Mapping[int, Deployment]
    """Each deployment after the first as the oracle takes it, by number."""
    entries: Mapping[int, Entry]
    """The valid records of the log, by number."""
    void: tuple[Void, ...]

    @property
    def ahead(self) -> list[Deployment]:
        """The sets that take the place of the first, in the order of their minutes."""
        return [self.oracle_deployments[deployment.number] for deployment in self.deployments.timeline.deployments[1:]]


class KnownTicket(NamedTuple):
    """What the input states of one ticket, in the order of the log."""

    partition: int
    events: list[tuple[int, Event]]
    """Offset and event; repetitions and erasures too, but nothing that is too late or follows an erasure."""
    state: State
    """What the pure engine makes of them, before time passes."""
    emitted: set[Expected]
    """What must be emitted, up to ``_LATEST`` after the end."""
    details: set[Detail]
    """The same by the engine, with what the oracle does not know; empty where nothing was deployed."""
    open_commitments: set[OpenState]
    """How open commitments stand then."""
    cut: bool
    """Events that a deployment may have to judge are not kept: the effects of the ticket depend on when workers learned of
    the deployment, and is not known here. An erased ticket is cut too, because it depends on when workers learned of the
    erasure: ``tests.chaos.erasures_checker`` checks it."""


class Truth(NamedTuple):
    judges: Judges
    tickets: dict[str, KnownTicket]
    refused: dict[tuple[int, int], str]
    """Partition and offset to the reason, of every record that must be refused."""
    may_be_late: set[tuple[int, int]]
    """Of every record that may be refused as too late, or not: a history is cut where the newest deployment built stopwatches,
    so it depends on when workers learned of that one what is before the history."""
    newest: dict[int, int]
    """Partition to the newest instant that its feed has shown, epoch microseconds."""
    far: int
    """The instant up to which the stories are computed."""
    erasures: dict[str, str]
    """Ticket to the id of the event that erased it."""


def judges(recording: Recording, first: PolicySet, hours: Hours) -> Judges:
    """The log of deployments as it stands in a recording, which has none where nobody reads one."""
    log, void = Log(), list[Void]()
    oracle_deployments: dict[int, Deployment] = {}
    for record in recording.deployments:
        added = log.add(record.offset, record.value, record.written)
        if isinstance(added, Void):
            void.append(added)
        elif added.entry.after != FIRST:
            entry = added.entry
            if entry.at % MINUTE:
                raise AssertionError(f"deployment {entry.number} holds from {entry.at} on, which is no whole minute")
            its_hours = hours_of(recording.calendars[entry.fingerprint]) if entry.fingerprint in recording.calendars else hours
            oracle_deployments[entry.number] = Deployment(entry.at // MINUTE, log.deployed(entry.number).policies, its_hours)
    return Judges(first, hours, log.deployments or Deployments.fixed(first), oracle_deployments, log.entries, tuple(void))


def truth(recording: Recording, first: PolicySet, hours: Hours) -> Truth:
    """What the input must have led to. ``first``: the policies of the files, ``hours``: their calendars."""
    by = judges(recording, first, hours)
    engine = Engine(by.deployments, history=recording.history)
    states: dict[str, State] = {}
    events: dict[str, tuple[int, list[tuple[int, Event]]]] = {}
    refused, may_be_late, newest = {}, set[tuple[int, int]](), dict.fromkeys(recording.ends, 0)
    changed = len(by.deployments.known) > 1
    erasures: dict[str, str] = {}
    for record in recording.events:
        place = record.partition, record.offset
        if (bad := dict(record.headers).get(BAD)) is not None:
            refused[place] = bad.decode()
            continue
        decoded = decode(record.key, record.value, now=None)
        if isinstance(decoded, Rejected):
            raise AssertionError(f"the workload did not mean this record to be bad: {record}")  # noqa: TRY004  it is no wrong type
        if isinstance(decoded, Tick):
            newest[record.partition] = max(newest[record.partition], decoded.at)
            continue
        ticket, event = decoded.ticket, decoded.event
        if event.type != ERASURE:
            newest[record.partition] = max(newest[record.partition], event.at)
        before = states.get(ticket)
        step = engine.apply(before, ticket, event, event.at)
        states[ticket] = step.state
        if step.outcome in _OUT_OF_ORDER and changed and before is not None and before.base is not None:
            may_be_late.add(place)
        if step.outcome is Outcome.TOO_LATE:
            if place not in may_be_late:
                refused[place] = "too_late"
        elif step.outcome is Outcome.CONFLICT:
            refused[place] = "conflict"
        elif step.outcome is not Outcome.ERASED:
            if event.type == ERASURE:
                erasures.setdefault(ticket, event.id)
            events.setdefault(ticket, (record.partition, []))[1].append((record.offset, event))
    far = recording.stopped + _LATEST
    tickets = {}
    for ticket, (partition, received) in events.items():
        state = states[ticket]
        of_it = [event for _, event in received if event.type != ERASURE]
        cut = ticket in erasures or (changed and state.base is not None)
        tickets[ticket] = KnownTicket(partition, received, state, *_account(by, ticket, of_it, far), cut)
    return Truth(by, tickets, refused, may_be_late, newest, far, erasures)


def emitted_by(by: Judges, number: int, events: Iterable[Event], until: int) -> set[Expected]:
    """What had to be emitted for these events, up to ``until``, by those who knew no deployment after that number."""
    known = by._replace(deployments=by.deployments.until(number))
    return ticket_at(by.first.policies, by.hours, events, until, known.ahead).emitted


def hours_of(calendars: Mapping[str, Any]) -> Hours:
    """Calendars of a policy file, as the oracle reads them. Equal ones are one, because each remembers its days."""
    return {name: _HOURS.setdefault(repr(data), OpenMinutes(data)) for name, data in calendars.items()}


def _account(by: Judges, ticket: str, events: list[Event], until: int) -> tuple[set[Expected], set[Detail], set[OpenState]]:
    judged = ticket_at(by.first.policies, by.hours, events, until, by.ahead)
    details = {detail(one) for one in _from_engine(by.deployments, ticket, events, until)} if by.oracle_deployments else set()
    return judged.emitted, details, set(_open_commitments(judged))


def _from_engine(deployments: Deployments, ticket: str, events: list[Event], until: int) -> list[Effect]:
    """By the pure engine, events in the order of time, nothing unknown."""
    engine = Engine(deployments, history=_WHOLE)
    state: State | None = None
    effects: list[Effect] = []
    for event in sorted(events, key=lambda event: event.key):
        step = engine.apply(state, ticket, event, event.at)
        state = step.state
        effects += step.effects
    if state is not None:
        effects += engine.wake(state, until).effects
    if back := [one for one in effects if one.retracts]:
        raise AssertionError(f"the engine takes something back although nothing came late: {back}")
    return effects


def expected(effect: Effect) -> Expected:
    """An effect in the words of the oracle."""
    about, kind = effect.ladder or effect.commitment, str(effect.escalation_kind or "")
    return Expected(
        about, effect.kind, effect.level, effect.cycle, effect.at, effect.due_at, kind, effect.assign_to, effect.page
    )


def detail(effect: Effect) -> Detail:
    stem = effect.id.partition(".")[0]
    return stem, expected(effect), str(effect.reason), effect.policy, effect.policy_version, effect.target


def _open_commitments(ticket: Ticket) -> Iterator[OpenState]:
    for name, commitment_state in ticket.commitments.items():
        stopwatch = ticket.stopwatches[commitment_state.metric]
        if commitment_state.target is not None and stopwatch.on and commitment_state.verdict in _WORDS:
            word = _WORDS[commitment_state.verdict][stopwatch.phase == "paused"]
            yield name, word, None if commitment_state.due is None else commitment_state.due * MINUTE
