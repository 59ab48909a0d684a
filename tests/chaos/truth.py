"""What the input of a run, as it stands in Kafka, must have led to, by the log of deployments as it stands there.

By two ways that know nothing of each other: the slow oracle for what must be said and how every promise stands, and the pure
engine over the same events for the states that workers keep. The oracle knows one set of policies. So where policies were
deployed, it judges what lies before the first instant at which another set holds, and what follows is the fold of the pure
engine, which takes the events in the order of time and knows all deployments from the beginning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from stream.deployments.log import Log, Void
from stream.sla.engine import Engine, Outcome
from stream.sla.policy.timeline import Deployments
from stream.sla.ticket.state import open_commitments
from stream.wire.decode import Rejected, Tick, decode
from tests.chaos.pace import MINUTE
from tests.chaos.workload import BAD
from tests.oracle.oracle import tell
from tests.oracle.promised import Expected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from stream.deployments.log import Entry
    from stream.sla.effects import Effect
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.ticket.state import State
    from tests.chaos.recording import Recording, Stored
    from tests.oracle.hours import OpenMinutes
    from tests.oracle.promised import Story

_LATEST = 30 * MINUTE
"""How far ahead of the run's time, at most, a worker's clock can have been set."""
_WHOLE: Final = 10_000
"""A history that nothing is cut from."""
_WORDS = {"pending": ("running", "paused"), "breached": ("breached", "breached")}

Standing = tuple[str, str, int | None]
"""An open commitment, its state and deadline."""
Detail = tuple[str, Expected, str, str, int, int | None]
"""An effect with what only the engine knows of it: the stem of its id, reason, policy, version, target."""


class Judges(NamedTuple):
    """By what a run is judged."""

    first: PolicySet
    """The policies that workers were given as files."""
    hours: Mapping[str, OpenMinutes]
    """The calendars of these, as the oracle reads them."""
    deployments: Deployments
    entries: Mapping[int, Entry]
    """The valid records of the log, by number."""
    void: tuple[Void, ...]

    @property
    def changes_at(self) -> int | None:
        """From this instant on another set than the first holds; ``None``: from none on."""
        following = self.deployments.timeline.deployments[1:]
        return following[0].at if following else None


class Heard(NamedTuple):
    """What the input says of one ticket, in the order of the log."""

    partition: int
    events: list[tuple[int, Event]]
    """Offset and event; repetitions too, what is too late not."""
    state: State
    """What the pure engine makes of them, before time passes."""
    said: set[Expected]
    """What must be said, up to ``_LATEST`` after the end."""
    details: set[Detail]
    """The same by the engine alone, empty where the oracle judges the whole of it."""
    standings: set[Standing]
    """How open commitments stand then."""
    cut: bool
    """Events that a deployment may have to judge are not kept: what is said of the ticket depends on when workers learned of
    the deployment, and is not known here."""


class Truth(NamedTuple):
    judges: Judges
    tickets: dict[str, Heard]
    refused: dict[tuple[int, int], str]
    """Partition and offset to the reason, of every record that must be refused."""
    newest: dict[int, int]
    """Partition to the newest instant that its feed has shown, epoch microseconds."""
    far: int
    """The instant up to which the stories are told."""


def judges(records: Sequence[Stored], first: PolicySet, hours: Mapping[str, OpenMinutes]) -> Judges:
    """``records``: the log of deployments; empty if nobody reads one."""
    log, void = Log(), list[Void]()
    for record in records:
        added = log.add(record.offset, record.value, record.written)
        if isinstance(added, Void):
            void.append(added)
    return Judges(first, hours, log.deployments or Deployments.fixed(first), log.entries, tuple(void))


def truth(recording: Recording, first: PolicySet, hours: Mapping[str, OpenMinutes]) -> Truth:
    """What the input must have led to. ``first``: the policies of the files, ``hours``: their calendars."""
    by = judges(recording.deployments, first, hours)
    engine = Engine(by.deployments, history=recording.history)
    states: dict[str, State] = {}
    events: dict[str, tuple[int, list[tuple[int, Event]]]] = {}
    refused, newest = {}, dict.fromkeys(recording.ends, 0)
    for record in recording.events:
        place = record.partition, record.offset
        if (bad := dict(record.headers).get(BAD)) is not None:
            refused[place] = bad.decode()
            continue
        heard = decode(record.key, record.value, now=None)
        if isinstance(heard, Rejected):
            raise AssertionError(f"the workload did not mean this record to be bad: {record}")  # noqa: TRY004  it is no wrong type
        if isinstance(heard, Tick):
            newest[record.partition] = max(newest[record.partition], heard.at)
            continue
        ticket, event = heard.ticket, heard.event
        newest[record.partition] = max(newest[record.partition], event.at)
        step = engine.apply(states.get(ticket), ticket, event, event.at)
        states[ticket] = step.state
        if step.outcome is Outcome.TOO_LATE:
            refused[place] = "too_late"
        else:
            events.setdefault(ticket, (record.partition, []))[1].append((record.offset, event))
    far = recording.stopped + _LATEST
    tickets = {}
    for ticket, (partition, heard_of_it) in events.items():
        state, changes = states[ticket], len(by.deployments.known) > 1
        of_it = [event for _, event in heard_of_it]
        tickets[ticket] = Heard(
            partition, heard_of_it, state, *_account(by, ticket, of_it, far), changes and state.base is not None
        )
    return Truth(by, tickets, refused, newest, far)


def said_by(by: Judges, number: int, ticket: str, events: Iterable[Event], until: int) -> set[Expected]:
    """What had to be said of these events, up to ``until``, by those who knew no deployment after that number."""
    known = by._replace(deployments=by.deployments.until(number))
    return _account(known, ticket, list(events), until)[0]


def _account(by: Judges, ticket: str, events: list[Event], until: int) -> tuple[set[Expected], set[Detail], set[Standing]]:
    first, changes_at = by.first.policies, by.changes_at
    if changes_at is None:
        story = tell(first, by.hours, events, until)
        return story.said, set(), set(_standings(story))
    before = tell(first, by.hours, [event for event in events if event.at < changes_at], min(changes_at, until)).said
    effects, state = _fold(by.deployments, ticket, events, until)
    said = {one for one in before if one.at < changes_at} | {expected(one) for one in effects if one.at >= changes_at}
    standings = {(one.commitment, one.state, one.due_at) for one in open_commitments(state)} if state is not None else set()
    return said, {detail(one) for one in effects}, standings


def _fold(deployments: Deployments, ticket: str, events: list[Event], until: int) -> tuple[list[Effect], State | None]:
    """By the pure engine, events in the order of time, nothing unknown."""
    engine = Engine(deployments, history=_WHOLE)
    state: State | None = None
    effects: list[Effect] = []
    for event in sorted(events, key=lambda event: event.key):
        step = engine.apply(state, ticket, event, event.at)
        state, effects = step.state, [*effects, *step.effects]
    if state is not None:
        step = engine.wake(state, until)
        state, effects = step.state, [*effects, *step.effects]
    if back := [one for one in effects if one.retracts]:
        raise AssertionError(f"the engine takes something back although nothing came late: {back}")
    return effects, state


def expected(effect: Effect) -> Expected:
    """An effect in the words of the oracle."""
    about, kind = effect.ladder or effect.commitment, str(effect.escalation_kind or "")
    return Expected(about, effect.kind, effect.level, effect.cycle, effect.at, effect.due_at, kind, effect.assign_to)


def detail(effect: Effect) -> Detail:
    stem = effect.id.partition(".")[0]
    return stem, expected(effect), str(effect.reason), effect.policy, effect.policy_version, effect.target


def _standings(story: Story) -> Iterator[Standing]:
    for name, resolved in story.commitments.items():
        watch = story.watches[resolved.metric]
        if resolved.target is not None and watch.on and resolved.verdict in _WORDS:
            word = _WORDS[resolved.verdict][watch.phase == "paused"]
            yield name, word, None if resolved.due is None else resolved.due * MINUTE
