"""What is true of a ticket depends on its events and on the timeline, not on when either became known."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING
from unittest.mock import patch

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from stream.sla.codec import codec
from stream.sla.correction import named
from stream.sla.engine import Engine
from stream.sla.policy.change import Change
from stream.sla.refold import extent, refold
from stream.sla.settling import Lateness
from stream.sla.step import Outcome
from stream.sla.ticket.bounds import NAMED
from tests.examples import examples
from tests.properties.consumer import Consumer
from tests.properties.edits import Deployed, deployed, log
from tests.properties.invariants import agree, codec_agrees, play
from tests.unit.sla.given import HOUR, MINUTE

if TYPE_CHECKING:
    from stream.sla.effects import Effect
    from stream.sla.events import Event

SEEDS = st.integers(0, 2**32)
GENERATE = (Phase.explicit, Phase.generate)
"""A scenario is a function of its seed: there is nothing that could be made smaller."""
LATENESS = Lateness(late_after=20 * MINUTE, settling=2 * HOUR)
Fact = tuple[str, int, int | None, str]


class Replica(Consumer):
    """A consumer of some deployments. Objects to an effect that comes twice, or that is retracted before it comes."""

    def __init__(self, one: Deployed, known: int, history: int = 200, *, keep: frozenset[str] | None = NAMED) -> None:
        """``known``: so many deployments are known in the beginning. ``keep``: fields, as for ``Engine``."""
        self.one = one
        self.known = known
        super().__init__(Engine(log(one, known), history=history, keep=keep, lateness=LATENESS))
        self.cut = False

    def learn(self) -> None:
        self.known += 1
        deploy = self.one.deploys[self.known - 1]
        self.engine.deployments = self.engine.deployments.add(self.known, deploy.holds_from, deploy.files.policy_set())

    def receive(self, event: Event, arrived: int = 0) -> None:
        self.cut = self.apply(event, arrived) is Outcome.TOO_LATE or self.cut

    def facts(self) -> set[Fact]:
        return {
            (e.id.partition(".")[0], e.at, e.due_at, f"{e.kind} {e.reason} {e.level} {e.policy} {e.policy_version} {e.target}")
            for e in self.emitted.values()
        }


class RefoldingReplica(Replica):
    """Objects as soon as a ticket, folded again from what is kept of it, is not what it is known to be.

    A late event and a rejudgement take back what that fold makes true and emit what another one makes true. So it must give
    the effects that were emitted.
    """

    def receive(self, event: Event, arrived: int = 0) -> None:
        super().receive(event, arrived)
        self.refolds()

    def wake(self, now: int) -> None:
        super().wake(now)
        self.refolds()

    def refolds(self) -> None:
        if self.state is None:
            return
        state = codec.decode(self.state)
        if state.settling is None:
            timeline = self.engine.deployments.timeline_of(state.head.deployment)
            again = refold(timeline, state, state.history, 0, extent(state.head))
            assert again.ticket.parts() == state.head.parts()
            assert {effect.id for effect in named(again.emitter.effects, state.revisions)} <= self.emitted.keys()


def shown(effects: list[Effect]) -> list[object]:
    return [(e.id, e.kind, e.at, e.due_at, e.reason, e.cause, e.elapsed, e.paused, e.late, e.deployment) for e in effects]


def in_order(one: Deployed, *, keep: frozenset[str] | None = NAMED) -> Replica:
    """The fold in the order of time, with everything known from the beginning."""
    found = Replica(one, len(one.deploys), keep=keep)
    for event in sorted(one.events, key=lambda event: event.key):
        found.receive(event)
    found.wake(one.until)
    return found


def shuffled(found: Replica, random: Random, old: float = 0.0) -> Replica:
    """Events in any order and some of them repeated, deployments becoming known at any moment, wakes in between.

    ``old``: the part of the events that arrive when they are old.
    """
    one = found.one
    arrivals: list[Event | None] = [*one.events, *random.sample(one.events, min(2, len(one.events)))]
    random.shuffle(arrivals)
    for _ in one.deploys:
        arrivals.insert(random.randint(0, len(arrivals)), None)
    start, settled = min(event.at for event in one.events), one.until - 2 * LATENESS.settling
    for event in arrivals:
        if event is None:
            found.learn()
        else:
            found.receive(event, random.randint(event.at, max(settled, event.at)) if random.random() < old else 0)
        if random.random() < 0.4:
            found.wake(random.randint(start, one.until))
    found.wake(one.until)
    return found


@settings(max_examples=examples(150), deadline=None, phases=GENERATE, database=None)
@given(SEEDS)
@example(356575).via("a timer that does not apply to the cycle after its restart")
def test_whatever_is_deployed_a_ticket_keeps_its_invariants(seed: int) -> None:
    play(deployed(seed))


@settings(max_examples=examples(150), deadline=None, phases=GENERATE, database=None)
@given(SEEDS)
@example(10024).via("a deployment that reads a field no policy read when the events came")
def test_any_order_of_arrival_and_any_moment_of_learning_end_in_the_same_facts(seed: int) -> None:
    one = deployed(seed, backwards=True)
    # A field that no policy reads is not kept, so a deployment that begins to read it cannot see it in events before.
    found = shuffled(Replica(one, 0, keep=None), Random(seed))

    assert found.facts() == in_order(one, keep=None).facts()
    assert found.state is not None
    agree(found.engine.deployments, codec.decode(found.state), one.events, one.until)


@settings(max_examples=examples(150), deadline=None, phases=GENERATE, database=None)
@given(SEEDS)
@example(211).via("a deployment at the instant of an event, which becomes known while the ticket settles")
def test_old_events_and_any_moment_of_learning_end_in_the_same_facts(seed: int) -> None:
    one = deployed(seed, backwards=True)
    found = shuffled(Replica(one, 0, keep=None), Random(seed), old=0.5)

    assert found.facts() == in_order(one, keep=None).facts()
    assert found.state is not None
    agree(found.engine.deployments, codec.decode(found.state), one.events, one.until)


@settings(max_examples=examples(100), deadline=None, phases=GENERATE, database=None)
@given(SEEDS)
def test_deployments_that_are_known_before_they_hold_give_the_very_same_effects(seed: int) -> None:
    one = deployed(seed)
    found, random = Replica(one, 0), Random(seed)
    for event in sorted(one.events, key=lambda event: event.key):
        while found.known < len(one.deploys) and one.deploys[found.known].at <= event.at:
            found.wake(one.deploys[found.known].at)
            found.learn()
        if random.random() < 0.5:
            found.wake(event.at)
        found.receive(event)
    while found.known < len(one.deploys):
        found.learn()
    found.wake(one.until)

    assert shown(found.effects) == shown(in_order(one).effects)


@settings(max_examples=examples(150), deadline=None, phases=GENERATE, database=None)
@given(SEEDS)
@example(18).via("levels that wait for business hours, which begin at the instant of the deployment")
def test_a_ticket_that_a_deployment_is_taken_not_to_touch_would_not_be_changed_by_it(seed: int) -> None:
    one = deployed(seed, backwards=True)
    found = shuffled(Replica(one, 0), Random(seed))
    with patch.object(Change, "touches", lambda *_: True):
        deployed_all_the_same = shuffled(Replica(one, 0), Random(seed))

    assert shown(found.effects) == shown(deployed_all_the_same.effects)


@settings(max_examples=examples(100), deadline=None, phases=GENERATE, database=None)
@given(SEEDS)
def test_a_deployment_that_is_undone_leaves_no_trace(seed: int) -> None:
    found, random = deployed(seed), Random(seed)
    mistaken = found.deploys[0]
    undone = found._replace(deploys=[mistaken, mistaken._replace(files=found.first)])
    never = found._replace(deploys=[])
    replica = Replica(undone, 0)
    for event in sorted(found.events, key=lambda event: event.key):
        replica.receive(event)
        if replica.known < 2 and random.random() < 0.4:
            replica.learn()
        if random.random() < 0.4:
            replica.wake(event.at + random.randint(0, 7_200_000_000))
    while replica.known < 2:
        replica.learn()
    replica.wake(found.until)

    assert replica.facts() == in_order(never).facts()


@settings(max_examples=examples(150), deadline=None, phases=GENERATE, database=None)
@given(SEEDS)
@example(4300).via("a row that was built from the history before that was cut")
@example(3122).via("a deployment that gave way, and held from after the newest event")
@example(1057).via("a level whose time is the instant at which the deployment is met")
def test_a_ticket_whose_history_is_cut_is_folded_again_to_what_it_is(seed: int) -> None:
    found = shuffled(RefoldingReplica(deployed(seed, backwards=True), 0, history=4), Random(seed))

    assert found.state is not None
    codec_agrees(codec.decode(found.state))
